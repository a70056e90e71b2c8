package http1

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/http1/header"
)

// Request is a request without its body.
type Request struct {
	Method        string
	Target        string      // as it was sent
	Path          string      // escaped; "*" of OPTIONS
	Query         string      // raw, without the question mark
	Host          string      // the target's if it has one, else the Host field's
	Minor         int         // of the version, HTTP/1.Minor
	Header        header.List // with Host, as they were sent
	ContentLength int64       // -1: chunked

	close    bool // the client wants the connection to end after the answer
	expects  bool // the client waits for 100 Continue
	absolute bool // the target has a host
}

// refusal is why a request is not served.
type refusal struct {
	status int
	reason string
}

func malformed(reason string) *refusal { return &refusal{http.StatusBadRequest, reason} }

// headEnd finds the end of a head, the empty line included. It is given where the first line begins that was not looked at
// yet, and says where that is if the head is not complete: then end is 0. It is -1 if a line ends with LF alone.
func headEnd(b []byte, line int) (end, next int) {
	for {
		i := bytes.IndexByte(b[line:], '\n')
		if i < 0 {
			return 0, line
		}
		if i == 0 || b[line+i-1] != '\r' {
			return -1, line
		}
		line += i + 1
		if i == 1 {
			return line, line
		}
	}
}

// printable reports whether a head has no control characters but tabs and the ends of lines, whose number is told.
func printable(b []byte, lines int) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		low := (w - ones*0x20) &^ w & tops
		del := w ^ ones*0x7f
		if del = (del - ones) &^ del & tops; low|del != 0 && !printableBytes(b[i:i+8]) {
			return false
		}
	}
	// Every LF follows a CR, so that there is a CR by itself if there are more of them.
	return printableBytes(b[i:]) && bytes.Count(b, []byte{'\r'}) == lines
}

func printableBytes(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != '\r' && c != '\n' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// parse reads a head that ends with an empty line and whose lines end with CRLF. The fields are appended to r.Header[:0].
func (r *Request) parse(head string, fieldsMax int) *refusal {
	*r = Request{Header: r.Header[:0]}
	line, rest := cutLine(head)
	if bad := r.requestLine(line); bad != nil {
		return bad
	}
	f := framing{}
	for {
		if line, rest = cutLine(rest); line == "" {
			break
		}
		if len(r.Header) == fieldsMax {
			return &refusal{http.StatusRequestHeaderFieldsTooLarge, "too many fields"}
		}
		n := 0
		for n < len(line) && token[line[n]] {
			n++
		}
		if n == 0 || n == len(line) || line[n] != ':' {
			return malformed("malformed field")
		}
		field := header.Field{Name: line[:n], Value: trim(line[n+1:])}
		r.Header = append(r.Header, field)
		if bad := f.note(r, field.Name, field.Value); bad != nil {
			return bad
		}
	}
	return f.apply(r)
}

func cutLine(s string) (line, rest string) {
	i := strings.IndexByte(s, '\n')
	return s[:i-1], s[i+1:]
}

func (r *Request) requestLine(line string) *refusal {
	i, j := strings.IndexByte(line, ' '), strings.LastIndexByte(line, ' ')
	if i <= 0 || j == i {
		return malformed("malformed request line")
	}
	r.Method, r.Target = line[:i], line[i+1:j]
	switch version := line[j+1:]; version {
	case "HTTP/1.1":
		r.Minor = 1
	case "HTTP/1.0":
	default:
		if len(version) == 8 && version[:5] == "HTTP/" && isDigit(version[5]) && version[6] == '.' && isDigit(version[7]) {
			return &refusal{http.StatusHTTPVersionNotSupported, "unsupported protocol version"}
		}
		return malformed("malformed protocol version")
	}
	if !isToken(r.Method) || r.Method == http.MethodConnect {
		return malformed("invalid method")
	}
	return r.parseTarget()
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (r *Request) parseTarget() *refusal {
	switch t := r.Target; {
	case t == "":
		return malformed("no target")
	case t == "*":
		if r.Method != http.MethodOptions {
			return malformed("malformed target")
		}
		r.Path = t
		return nil
	case strings.IndexByte(t, ' ') >= 0 || strings.IndexByte(t, '\t') >= 0:
		return malformed("malformed request line")
	case t[0] == '/':
		path, query, _ := strings.Cut(t, "?")
		if plainPath(path) {
			r.Path, r.Query = path, query
			return nil
		}
	}
	u, err := url.ParseRequestURI(r.Target)
	if err != nil || u.Opaque != "" || u.User != nil || u.Scheme != "" && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return malformed("malformed target")
	}
	r.Path, r.Query = u.EscapedPath(), u.RawQuery
	if r.absolute = u.Host != ""; r.absolute {
		r.Host = u.Host
	}
	if r.Path == "" {
		r.Path = "/"
	}
	return nil
}

// pathByte says which bytes stand for themselves in an escaped path.
var pathByte = func() (t [256]bool) {
	for c := range 256 {
		t[c] = isLetter(byte(c)) || isDigit(byte(c))
	}
	for _, c := range "-._~!$&'()*+,;=:@/[]" {
		t[c] = true
	}
	return t
}()

// plainPath reports whether a path is escaped as it should be, so that it is its own escaped form.
func plainPath(path string) bool {
	for i := 0; i < len(path); i++ {
		if pathByte[path[i]] {
			continue
		}
		if path[i] != '%' || i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2]) {
			return false
		}
		i += 2
	}
	return true
}

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// framing is what the fields of a request say of its end, its host and its connection.
type framing struct {
	hosts, lengths, encodings int
	length                    int64
	keepAlive                 bool
}

// note looks at one field.
func (f *framing) note(r *Request, name, value string) *refusal {
	switch len(name) {
	case len("Host"):
		if header.Same(name, "Host") {
			if f.hosts++; !validHost(value) {
				return malformed("malformed Host field")
			}
			if !r.absolute {
				r.Host = value
			}
		}
	case len("Expect"):
		if header.Same(name, "Expect") {
			return r.expect(value)
		}
	case len("Trailer"):
		if header.Same(name, "Trailer") && (hasItem(value, "Transfer-Encoding") || hasItem(value, "Content-Length") || hasItem(value, "Trailer")) {
			return malformed("bad Trailer")
		}
	case len("Connection"):
		if header.Same(name, "Connection") {
			r.close = r.close || hasItem(value, "close")
			f.keepAlive = f.keepAlive || hasItem(value, "keep-alive")
		}
	case len("Content-Length"):
		if header.Same(name, "Content-Length") {
			n, err := strconv.ParseUint(value, 10, 63)
			if err != nil {
				return malformed("bad Content-Length")
			}
			f.lengths++
			f.length = int64(n)
		}
	case len("Transfer-Encoding"):
		if header.Same(name, "Transfer-Encoding") {
			if f.encodings++; f.encodings > 1 || !header.Same(value, "chunked") {
				return &refusal{http.StatusNotImplemented, "unsupported transfer encoding"}
			}
		}
	}
	return nil
}

func (r *Request) expect(value string) *refusal {
	if !header.Same(value, "100-continue") {
		return &refusal{http.StatusExpectationFailed, "unknown expectation"}
	}
	r.expects = r.Minor == 1
	return nil
}

// apply makes of all fields together how the request is read.
func (f *framing) apply(r *Request) *refusal {
	switch {
	case f.hosts > 1:
		return malformed("too many Host fields")
	case f.hosts == 0 && r.Minor == 1:
		return malformed("missing required Host field")
	case f.lengths > 1:
		return malformed("more than one Content-Length")
	case f.lengths == 1 && f.encodings == 1:
		return malformed("both Content-Length and Transfer-Encoding")
	case f.encodings == 1 && r.Minor == 0:
		return malformed("Transfer-Encoding in HTTP/1.0")
	}
	if r.ContentLength = f.length; f.encodings == 1 {
		r.ContentLength = -1
	}
	if r.Minor == 0 && !f.keepAlive {
		r.close = true
	}
	r.expects = r.expects && r.ContentLength != 0
	return nil
}

// hostByte says which bytes may stand in a host with its port (RFC 3986 3.2.2).
var hostByte = func() (t [256]bool) {
	for c := range 256 {
		t[c] = isLetter(byte(c)) || isDigit(byte(c))
	}
	for _, c := range "-._~!$&'()*+,;=:[]%" {
		t[c] = true
	}
	return t
}()

func validHost(s string) bool {
	for i := range len(s) {
		if !hostByte[s[i]] {
			return false
		}
	}
	return true
}
