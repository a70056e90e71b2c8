package maprun

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"unicode/utf16"

	"github.com/newel-run/newel/asl/value"
)

// csvItems reads the rows of a CSV text as objects of texts. What AWS does, as recorded or documented (spec.md B.12): a
// short row is filled with empty texts, a long one is cut; inside quotes a quote is doubled or comes after a backslash;
// a backslash before anything but a quote or a backslash is dropped; a row without a single character is no item.
type csvItems struct {
	body      io.ReadCloser
	r         *bufio.Reader
	delimiter byte
	headers   []string // nil until the first row is read
	order     []int    // in which an item has its members
	row       []string
	field     []byte
}

// maxHeaderBytes is AWS's limit of the first row.
const maxHeaderBytes = 10 << 10

func newCSVItems(body io.ReadCloser, delimiter byte, headers []string) *csvItems {
	return &csvItems{body: body, r: bufio.NewReaderSize(body, 64<<10), delimiter: delimiter, headers: headers}
}

func (c *csvItems) Close() error { return c.body.Close() }

func (c *csvItems) next() ([]byte, error) {
	if c.order == nil {
		if err := c.begin(); err != nil {
			return nil, err
		}
	}
	if err := c.readRow(); err != nil {
		return nil, err
	}
	item := []byte{'{'}
	for i, column := range c.order {
		if i > 0 {
			item = append(item, ',')
		}
		text := ""
		if column < len(c.row) {
			text = c.row[column]
		}
		item = append(value.AppendString(item, c.headers[column]), ':')
		item = value.AppendString(item, text)
	}
	return append(item, '}'), nil
}

// begin finds out the headers.
func (c *csvItems) begin() error {
	if mark, err := c.r.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		c.r.Discard(3)
	}
	if c.headers == nil {
		err := c.readRow()
		if errors.Is(err, io.EOF) {
			return failed(errReader, "The CSV file has no header.")
		}
		if err != nil {
			return err
		}
		c.headers = slices.Clone(c.row)
		size := 0
		for _, h := range c.headers {
			size += len(h) + 1
		}
		if size > maxHeaderBytes {
			return failed(errReader, "The CSV headers are longer than %d bytes.", maxHeaderBytes)
		}
	}
	seen := map[string]bool{}
	for _, h := range c.headers {
		if seen[h] {
			return failed(errReader, "CSV headers cannot contain duplicates.")
		}
		seen[h] = true
	}
	c.order = hashOrder(c.headers)
	return nil
}

// readRow reads the next row that is not empty.
func (c *csvItems) readRow() error {
	for {
		any, err := c.readLine()
		if err != nil {
			return err
		}
		if any {
			return nil
		}
	}
}

// readLine reads one row, which may go over several lines inside quotes, and reports whether a character was in it.
func (c *csvItems) readLine() (any bool, err error) {
	c.row, c.field = c.row[:0], c.field[:0]
	quoted, size := false, 0
	for {
		b, err := c.r.ReadByte()
		if errors.Is(err, io.EOF) {
			if !any {
				return false, io.EOF
			}
			c.endField()
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if size++; size > maxItemBytes {
			return false, failed(errReader, "A row of the CSV file is longer than %d bytes.", maxItemBytes)
		}
		switch {
		case b == '\n' && !quoted:
			if any {
				c.endField()
			}
			return any, nil
		case b == '\r' && !quoted && c.peek() == '\n':
			continue
		case b == c.delimiter && !quoted:
			c.endField()
		case b == '"' && quoted && c.peek() == '"':
			c.r.ReadByte()
			c.field = append(c.field, '"')
		case b == '"' && (quoted || len(c.field) == 0):
			quoted = !quoted
		case b == '\\':
			if next := c.peek(); next == '"' || next == '\\' {
				c.r.ReadByte()
				c.field = append(c.field, next)
			}
		default:
			c.field = append(c.field, b)
		}
		any = true
	}
}

func (c *csvItems) endField() {
	c.row = append(c.row, string(bytes.ToValidUTF8(c.field, []byte("\uFFFD"))))
	c.field = c.field[:0]
}

// peek is the next byte, 0 at the end.
func (c *csvItems) peek() byte {
	b, err := c.r.Peek(1)
	if err != nil {
		return 0
	}
	return b[0]
}

// hashOrder is the order in which AWS's items have their members, as recorded: that of a Java HashMap with its default
// size, whose buckets follow the names' hash codes.
func hashOrder(names []string) []int {
	size := uint32(16)
	for len(names)*4 > int(size)*3 {
		size *= 2
	}
	bucket := make([]uint32, len(names))
	order := make([]int, len(names))
	for i, name := range names {
		h := uint32(0)
		for _, unit := range utf16.Encode([]rune(name)) {
			h = 31*h + uint32(unit)
		}
		bucket[i], order[i] = (h^h>>16)&(size-1), i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(bucket[a]) - int(bucket[b]) })
	return order
}
