package wire

import "github.com/newel-run/newel/internal/aws"

func decodeCBORInput(c *Call, _ *Message) ([]byte, error)             { return nil, unsupported(c) }
func encodeCBOROutput(c *Call, _ []byte, _ *Message) error            { return unsupported(c) }
func encodeCBORError(_ *Call, _ *aws.Error, _ *aws.Shape, _ *Message) {}
