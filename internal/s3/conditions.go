package s3

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
)

// permit checks what a write demands of the object that is there.
func (b *box) permit(in *writeInput) error { return b.permitWrite(in.Key, in.IfMatch, in.IfNoneMatch) }

func (b *box) permitWrite(key, ifMatch, ifNoneMatch string) error {
	if ifMatch == "" && ifNoneMatch == "" {
		return nil
	}
	if ifNoneMatch != "" && ifNoneMatch != "*" {
		return fail(501, "NotImplemented", "A header you provided implies functionality that is not implemented", map[string]any{"Header": "If-None-Match"})
	}
	o, err := b.object(key)
	switch {
	case err != nil:
		return err
	case ifNoneMatch != "" && o != nil:
		return preconditionFailed("If-None-Match")
	case ifMatch != "" && o == nil:
		return noSuchKey(key)
	case ifMatch != "" && !matches(ifMatch, o.ETag):
		return preconditionFailed("If-Match")
	}
	return nil
}

// matches reports whether an ETag is in a list such as "a", W/"b" or *.
func matches(list, etag string) bool {
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimPrefix(strings.TrimSpace(item), "W/")
		if item == "*" || strings.Trim(item, `"`) == etag {
			return true
		}
	}
	return false
}

// conditions is what a read demands of the object; the times are epoch seconds, as they come in.
type conditions struct {
	IfMatch, IfNoneMatch               string
	IfModifiedSince, IfUnmodifiedSince json.Number
}

// check refuses a read in the order of HTTP: an ETag goes before a time.
func (q *conditions) check(o *object) error {
	modified := o.Modified / 1000
	switch since, ok := seconds(q.IfUnmodifiedSince); {
	case q.IfMatch != "" && !matches(q.IfMatch, o.ETag):
		return preconditionFailed("If-Match")
	case q.IfMatch == "" && ok && modified > since:
		return preconditionFailed("If-Unmodified-Since")
	}
	switch since, ok := seconds(q.IfModifiedSince); {
	case q.IfNoneMatch != "" && matches(q.IfNoneMatch, o.ETag), q.IfNoneMatch == "" && ok && modified <= since:
		return &aws.Error{Code: "NotModified", Status: http.StatusNotModified, Message: "Not Modified",
			Header: http.Header{"Etag": {quoted(o.ETag)}, "Last-Modified": {httpTime(o.Modified)}}}
	}
	return nil
}

func seconds(n json.Number) (int64, bool) {
	f, err := n.Float64()
	return int64(f), err == nil
}

// span is a range of an object's bytes: from offset, n bytes.
type span struct{ offset, n int64 }

// parseRange reads a Range header. ok is false if there is none that counts: S3 answers malformed and multiple ranges with
// the whole object.
func parseRange(header string, size int64) (r span, ok bool, err error) {
	spec, is := strings.CutPrefix(strings.TrimSpace(header), "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !is || !dash || strings.Contains(spec, ",") {
		return span{}, false, nil
	}
	if first == "" {
		n, err := strconv.ParseInt(last, 10, 64)
		switch {
		case err != nil || n < 0:
			return span{}, false, nil
		case n == 0 || size == 0:
			return span{}, false, invalidRange(header, size)
		}
		n = min(n, size)
		return span{size - n, n}, true, nil
	}
	from, err := strconv.ParseInt(first, 10, 64)
	if err != nil || from < 0 {
		return span{}, false, nil
	}
	to := size - 1
	if last != "" {
		if to, err = strconv.ParseInt(last, 10, 64); err != nil || to < from {
			return span{}, false, nil
		}
		to = min(to, size-1)
	}
	if from >= size {
		return span{}, false, invalidRange(header, size)
	}
	return span{from, to - from + 1}, true, nil
}

func invalidRange(header string, size int64) error {
	e := fail(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable", map[string]any{"RangeRequested": header, "ActualObjectSize": size})
	e.Header = http.Header{"Content-Range": {"bytes */" + strconv.FormatInt(size, 10)}}
	return e
}
