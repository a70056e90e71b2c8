package maprun

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// jsonItems reads the elements of an array in a JSON text, holding one at a time.
type jsonItems struct {
	body    io.ReadCloser
	decoder *json.Decoder
	pointer string
	inside  bool // the array has begun
}

func newJSONItems(body io.ReadCloser, pointer string) *jsonItems {
	d := json.NewDecoder(body)
	d.UseNumber()
	return &jsonItems{body: body, decoder: d, pointer: pointer}
}

func (j *jsonItems) Close() error { return j.body.Close() }

func (j *jsonItems) next() ([]byte, error) {
	if !j.inside {
		if err := j.enter(); err != nil {
			return nil, err
		}
		j.inside = true
	}
	if !j.decoder.More() {
		if _, err := j.decoder.Token(); err != nil {
			return nil, unreadable(err)
		}
		return nil, io.EOF
	}
	var item json.RawMessage
	if err := j.decoder.Decode(&item); err != nil {
		return nil, unreadable(err)
	}
	return value.Compact(nil, item), nil
}

var errNotIterable = failed(errReader, "Attempting to map over non-iterable node.")

// enter goes to the array that the pointer names.
func (j *jsonItems) enter() error {
	if j.pointer != "" {
		for step := range strings.SplitSeq(j.pointer[1:], "/") {
			if err := j.descend(strings.NewReplacer("~1", "/", "~0", "~").Replace(step)); err != nil {
				return err
			}
		}
	}
	t, err := j.decoder.Token()
	if err != nil {
		return unreadable(err)
	}
	if t != json.Delim('[') {
		return errNotIterable
	}
	return nil
}

// descend goes to the member or element that a step of the pointer names.
func (j *jsonItems) descend(step string) error {
	t, err := j.decoder.Token()
	if err != nil {
		return unreadable(err)
	}
	missing := failed(errReader, "The ItemsPointer %s leads nowhere in the JSON file.", j.pointer)
	var skipped json.RawMessage
	switch t {
	case json.Delim('{'):
		for j.decoder.More() {
			name, err := j.decoder.Token()
			if err != nil {
				return unreadable(err)
			}
			if name == step {
				return nil
			}
			if err := j.decoder.Decode(&skipped); err != nil {
				return unreadable(err)
			}
		}
	case json.Delim('['):
		n, err := strconv.Atoi(step)
		if err != nil {
			return missing
		}
		for ; n > 0 && j.decoder.More(); n-- {
			if err := j.decoder.Decode(&skipped); err != nil {
				return unreadable(err)
			}
		}
		if n == 0 && j.decoder.More() {
			return nil
		}
	}
	return missing
}

// unreadable tells content that is not in its format, which fails the run, from a connection that broke.
func unreadable(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return failed(errReader, "The JSON file could not be parsed: %s", err)
	}
	return err
}

// maxItemBytes is the size up to which AWS reads an item.
const maxItemBytes = 8 << 20

// jsonLines reads a JSON text a line.
type jsonLines struct {
	body  io.ReadCloser
	lines *bufio.Scanner
	n     int
}

func newJSONLines(body io.ReadCloser) *jsonLines {
	s := bufio.NewScanner(body)
	s.Buffer(make([]byte, 0, 64<<10), maxItemBytes)
	return &jsonLines{body: body, lines: s}
}

func (j *jsonLines) Close() error { return j.body.Close() }

func (j *jsonLines) next() ([]byte, error) {
	for j.lines.Scan() {
		j.n++
		line := bytes.TrimSpace(j.lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := value.Valid(line); err != nil {
			return nil, failed(errReader, "Line %d of the JSONL file is not valid JSON.", j.n)
		}
		return value.Compact(nil, line), nil
	}
	err := j.lines.Err()
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, failed(errReader, "Line %d of the JSONL file is longer than %d bytes.", j.n+1, maxItemBytes)
	case err != nil:
		return nil, err
	}
	return nil, io.EOF
}
