package wire

import "github.com/newel-run/newel/internal/aws"

func decodeQueryInput(c *Call, _ *Message) ([]byte, error)                { return nil, unsupported(c) }
func encodeQueryOutput(c *Call, _ []byte, _ *Message) error               { return unsupported(c) }
func encodeQueryInput(c *Call, _ []byte, _ *Message) error                { return unsupported(c) }
func decodeQueryOutput(c *Call, _ *Message, _ *aws.Output) error          { return unsupported(c) }
func decodeRESTInput(c *Call, _ *Message, _ *aws.Request) error           { return unsupported(c) }
func encodeRESTOutput(c *Call, _ []byte, _ *aws.Output, _ *Message) error { return unsupported(c) }
func encodeRESTInput(c *Call, _, _ []byte, _ *Message) error              { return unsupported(c) }
func decodeRESTOutput(c *Call, _ *Message, _ *aws.Output) error           { return unsupported(c) }
func decodeCBORInput(c *Call, _ *Message) ([]byte, error)                 { return nil, unsupported(c) }
func encodeCBOROutput(c *Call, _ []byte, _ *Message) error                { return unsupported(c) }
func encodeXMLError(_ *Call, _ *aws.Error, _ *aws.Shape, _ *Message)      {}
func encodeCBORError(_ *Call, _ *aws.Error, _ *aws.Shape, _ *Message)     {}
func decodeXMLError(_ []byte, _ *aws.Error)                               {}
