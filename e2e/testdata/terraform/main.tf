# One of each kind that Newel has, as an application's own configuration would write it.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {}

variable "revision" { default = "1" }

locals { tags = { team = "orders" } }

resource "aws_iam_role" "app" {
  name = "orders"
  tags = local.tags
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = ["states.amazonaws.com", "lambda.amazonaws.com"] }
  }] })
}

resource "aws_iam_role_policy" "send" {
  name = "send"
  role = aws_iam_role.app.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Effect = "Allow", Action = ["sqs:SendMessage"], Resource = aws_sqs_queue.orders.arn
  }] })
}

resource "aws_iam_policy" "invoke" {
  name = "orders-invoke"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = "*"
  }] })
}

resource "aws_iam_role_policy_attachment" "invoke" {
  role       = aws_iam_role.app.name
  policy_arn = aws_iam_policy.invoke.arn
}

resource "aws_sqs_queue" "orders" {
  name                       = "orders"
  visibility_timeout_seconds = 45
  tags                       = local.tags
}

resource "aws_dynamodb_table" "orders" {
  name         = "orders"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"
  range_key    = "at"
  tags         = merge(local.tags, { revision = var.revision })
  attribute {
    name = "id"
    type = "S"
  }
  attribute {
    name = "at"
    type = "N"
  }
  attribute {
    name = "customer"
    type = "S"
  }
  global_secondary_index {
    name            = "by-customer"
    hash_key        = "customer"
    projection_type = "ALL"
  }
  ttl {
    attribute_name = "expires"
    enabled        = true
  }
}

resource "aws_lambda_function" "price" {
  function_name    = "price"
  role             = aws_iam_role.app.arn
  runtime          = "python3.12"
  handler          = "index.handler"
  filename         = "function.zip"
  source_code_hash = filebase64sha256("function.zip")
  publish          = true
  tags             = local.tags
  environment {
    variables = { REVISION = var.revision }
  }
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.price.function_name
  function_version = aws_lambda_function.price.version
}

resource "aws_lambda_event_source_mapping" "orders" {
  event_source_arn = aws_sqs_queue.orders.arn
  function_name    = aws_lambda_function.price.arn
  enabled          = false
}

resource "aws_lambda_permission" "news" {
  statement_id  = "news"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.price.function_name
  principal     = "sns.amazonaws.com"
  source_arn    = aws_sns_topic.news.arn
}

resource "aws_sns_topic" "news" {
  name = "news"
  tags = local.tags
}

resource "aws_sns_topic_subscription" "news" {
  topic_arn = aws_sns_topic.news.arn
  protocol  = "lambda"
  endpoint  = aws_lambda_function.price.arn
}

resource "aws_s3_bucket" "files" {
  bucket        = "orders-files"
  force_destroy = true
  tags          = local.tags
}

resource "aws_s3_object" "list" {
  bucket  = aws_s3_bucket.files.id
  key     = "lists/one.json"
  content = jsonencode([1, 2, 3])
}

resource "aws_kms_key" "orders" {
  description         = "orders"
  enable_key_rotation = true
}

resource "aws_kms_alias" "orders" {
  name          = "alias/orders"
  target_key_id = aws_kms_key.orders.key_id
}

resource "aws_cloudwatch_log_group" "machine" {
  name              = "/aws/vendedlogs/states/quote"
  retention_in_days = 7
  tags              = local.tags
}

resource "aws_cloudwatch_metric_alarm" "throttles" {
  alarm_name          = "throttles"
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  dimensions          = { FunctionName = aws_lambda_function.price.function_name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  alarm_actions       = [aws_sns_topic.news.arn]
}

resource "aws_cloudwatch_event_rule" "failures" {
  name          = "failures"
  event_pattern = jsonencode({ source = ["aws.states"], detail = { status = ["FAILED"] } })
}

resource "aws_cloudwatch_event_target" "failures" {
  rule = aws_cloudwatch_event_rule.failures.name
  arn  = aws_sns_topic.news.arn
}

resource "aws_sfn_activity" "review" {
  name = "review"
  tags = local.tags
}

resource "aws_sfn_state_machine" "orders" {
  name     = "orders"
  role_arn = aws_iam_role.app.arn
  tags     = local.tags
  definition = jsonencode({
    Comment = "revision ${var.revision}"
    StartAt = "Price"
    States = {
      Price = { Type = "Task", Resource = aws_lambda_function.price.arn, ResultPath = "$.price", Next = "Send" }
      Send = { Type = "Task", Resource = "arn:aws:states:::sqs:sendMessage", ResultPath = null, End = true,
      Parameters = { QueueUrl = aws_sqs_queue.orders.url, "MessageBody.$" = "States.JsonToString($)" } }
    }
  })
}

resource "aws_sfn_state_machine" "quote" {
  name       = "quote"
  type       = "EXPRESS"
  role_arn   = aws_iam_role.app.arn
  publish    = true
  definition = jsonencode({ StartAt = "A", States = { A = { Type = "Pass", End = true } } })
  logging_configuration {
    log_destination        = "${aws_cloudwatch_log_group.machine.arn}:*"
    include_execution_data = true
    level                  = "ERROR"
  }
}

resource "aws_sfn_alias" "live" {
  name = "live"
  routing_configuration {
    state_machine_version_arn = aws_sfn_state_machine.quote.state_machine_version_arn
    weight                    = 100
  }
}

output "machine" { value = aws_sfn_state_machine.orders.arn }
