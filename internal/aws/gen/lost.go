package main

// Models that moved from the query protocol to JSON no longer say what the query protocol, which older clients still
// speak, calls things. This file brings these facts back: from the API reference of the time and from the wire.

// lostNamespaces are XML namespaces of answers, by service id.
var lostNamespaces = map[string]string{
	"SQS": "http://queue.amazonaws.com/doc/2012-11-05/",
}

// lostNames are query names, by service id and shape. Element is a flattened list's element; Member a flattened map
// wherever it is a member, with Key and Value.
var lostNames = map[string]map[string]struct{ Element, Member, Key, Value string }{
	"SQS": {
		"AttributeNameList":                            {Element: "AttributeName"},
		"MessageSystemAttributeList":                   {Element: "MessageSystemAttributeName"},
		"MessageAttributeNameList":                     {Element: "MessageAttributeName"},
		"TagKeyList":                                   {Element: "TagKey"},
		"ActionNameList":                               {Element: "ActionName"},
		"AWSAccountIdList":                             {Element: "AWSAccountId"},
		"MessageList":                                  {Element: "Message"},
		"QueueUrlList":                                 {Element: "QueueUrl"},
		"BinaryList":                                   {Element: "BinaryListValue"},
		"StringList":                                   {Element: "StringListValue"},
		"BatchResultErrorEntryList":                    {Element: "BatchResultErrorEntry"},
		"SendMessageBatchRequestEntryList":             {Element: "SendMessageBatchRequestEntry"},
		"SendMessageBatchResultEntryList":              {Element: "SendMessageBatchResultEntry"},
		"DeleteMessageBatchRequestEntryList":           {Element: "DeleteMessageBatchRequestEntry"},
		"DeleteMessageBatchResultEntryList":            {Element: "DeleteMessageBatchResultEntry"},
		"ChangeMessageVisibilityBatchRequestEntryList": {Element: "ChangeMessageVisibilityBatchRequestEntry"},
		"ChangeMessageVisibilityBatchResultEntryList":  {Element: "ChangeMessageVisibilityBatchResultEntry"},
		"ListMessageMoveTasksResultEntryList":          {Element: "ListMessageMoveTasksResultEntry"},
		"QueueAttributeMap":                            {Member: "Attribute", Key: "Name", Value: "Value"},
		"MessageSystemAttributeMap":                    {Member: "Attribute", Key: "Name", Value: "Value"},
		"MessageBodyAttributeMap":                      {Member: "MessageAttribute", Key: "Name", Value: "Value"},
		"MessageBodySystemAttributeMap":                {Member: "MessageSystemAttribute", Key: "Name", Value: "Value"},
		"TagMap":                                       {Member: "Tag", Key: "Key", Value: "Value"},
	},
}

type lostCode struct {
	Code   string
	Status int
}

// lostCodes are the query protocol's error codes and their HTTP status, by service id and shape.
var lostCodes = map[string]map[string]lostCode{
	"SQS": {
		"BatchEntryIdsNotDistinct":     {"AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400},
		"BatchRequestTooLong":          {"AWS.SimpleQueueService.BatchRequestTooLong", 400},
		"EmptyBatchRequest":            {"AWS.SimpleQueueService.EmptyBatchRequest", 400},
		"InvalidBatchEntryId":          {"AWS.SimpleQueueService.InvalidBatchEntryId", 400},
		"MessageNotInflight":           {"AWS.SimpleQueueService.MessageNotInflight", 400},
		"PurgeQueueInProgress":         {"AWS.SimpleQueueService.PurgeQueueInProgress", 403},
		"QueueDeletedRecently":         {"AWS.SimpleQueueService.QueueDeletedRecently", 400},
		"QueueDoesNotExist":            {"AWS.SimpleQueueService.NonExistentQueue", 400},
		"QueueNameExists":              {"QueueAlreadyExists", 400},
		"TooManyEntriesInBatchRequest": {"AWS.SimpleQueueService.TooManyEntriesInBatchRequest", 400},
		"UnsupportedOperation":         {"AWS.SimpleQueueService.UnsupportedOperation", 400},
		"KmsAccessDenied":              {"KMS.AccessDeniedException", 400},
		"KmsDisabled":                  {"KMS.DisabledException", 400},
		"KmsInvalidKeyUsage":           {"KMS.InvalidKeyUsageException", 400},
		"KmsInvalidState":              {"KMS.InvalidStateException", 400},
		"KmsNotFound":                  {"KMS.NotFoundException", 400},
		"KmsOptInRequired":             {"KMS.OptInRequired", 403},
		"KmsThrottled":                 {"KMS.ThrottlingException", 400},
	},
}

// restore puts the lost facts into a model.
func restore(s *source) {
	id := s.Model.Metadata.ServiceID
	if ns, ok := lostNamespaces[id]; ok {
		s.Model.Metadata.XMLNamespace = ns
	}
	shapes := s.Model.Shapes.By
	for name, code := range lostCodes[id] {
		shapes[name].setCode(code)
	}
	names := lostNames[id]
	for name, lost := range names {
		sh := shapes[name]
		switch {
		case sh == nil:
			panic("gen: " + id + " has no shape " + name)
		case sh.Type == "list":
			sh.Member.QueryName = lost.Element
		default:
			sh.Key.QueryName, sh.Value.QueryName = lost.Key, lost.Value
		}
	}
	for _, sh := range shapes {
		for _, m := range sh.Members.By {
			if lost, ok := names[m.Shape]; ok && lost.Member != "" {
				m.QueryName = lost.Member
			}
		}
	}
}

func (s *shape) setCode(c lostCode) {
	s.Error = &errorTraits{Code: c.Code, HTTPStatusCode: c.Status}
}
