package task

import (
	"errors"
	"io"

	"github.com/newel-run/newel/internal/aws/rawjson"
)

// fillS3 adds what AWS's SDK for Java sends with an object's bytes beside what it was told: their type, which is text
// since the parameters are, and a CRC32.
func (c *call) fillS3() {
	if c.request.Body == nil || c.operation.Input.Payload == "" {
		return
	}
	there := map[string]bool{}
	_ = rawjson.EachMember(c.request.Input, func(name string, _ []byte) error { there[name] = true; return nil }) // our own JSON
	for _, d := range [...]struct{ member, value string }{{"ContentType", "text/plain; charset=UTF-8"}, {"ChecksumAlgorithm", "CRC32"}} {
		if c.operation.Input.Member(d.member) != nil && !there[d.member] {
			in := c.request.Input[:len(c.request.Input)-1]
			c.request.Input = append(rawjson.AppendString(rawjson.AppendName(in, d.member), d.value), '}')
		}
	}
}

// streamedBytesMax bounds what of a streamed answer is read; a result may be far smaller.
const streamedBytesMax = 16 << 20

// readAll reads a streamed answer into memory, where a task's result is.
func readAll(in io.ReadCloser) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(in, streamedBytesMax+1))
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, err
	}
	if len(body) > streamedBytesMax {
		return nil, &Failure{"States.DataLimitExceeded", "The state/task returned a result with a size exceeding the maximum number of bytes service limit."}
	}
	if body == nil {
		body = []byte{}
	}
	return body, nil
}
