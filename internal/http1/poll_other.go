//go:build !unix

package http1

func (c *conn) preparePoll() {}

func (c *conn) awaitRaw(x *Exchange) (*Exchange, error) { panic("http1: no descriptor to wait on") }
