package s3

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

const listMax = 1000

// query is a question about the keys of a bucket.
type query struct {
	prefix, delimiter string
	after             string // keys that sort after this one
	afterGroup        bool   // after is a common prefix: all keys that begin with it are behind
	max               int
}

// entry is a key with its row, or a common prefix.
type entry struct {
	key    string
	prefix bool
	row    []byte
}

// page is the answer: entries in the order of their keys, and whether there are more.
type page struct {
	entries   []entry
	truncated bool
}

// list answers a query by one scan of the index, which jumps over what a common prefix covers.
func list(rd store.Reader, kind, bucket string, q query) (page, error) {
	var out page
	lo, hi := within(kind, bucket, q.prefix)
	base := row(kind, bucket)
	if q.after != "" {
		from := store.Key(append(base.Str(q.after), 0)) // the smallest key after it
		if q.afterGroup {
			_, from = within(kind, bucket, q.after)
		}
		if string(from) > string(lo) {
			lo = from
		}
	}
	for q.max > 0 && string(lo) < string(hi) {
		group := ""
		for k, v := range rd.Scan(lo, hi, false) {
			key, _, ok := store.CutStr(k[len(base):])
			if !ok {
				return page{}, store.ErrCorrupt
			}
			if len(out.entries) == q.max {
				out.truncated = true
				return out, nil
			}
			if q.delimiter != "" {
				if i := strings.Index(key[len(q.prefix):], q.delimiter); i >= 0 {
					group = key[:len(q.prefix)+i+len(q.delimiter)]
					break
				}
			}
			out.entries = append(out.entries, entry{key, false, append([]byte(nil), v...)})
		}
		if group == "" {
			break
		}
		out.entries = append(out.entries, entry{key: group, prefix: true})
		_, lo = within(kind, bucket, group)
	}
	return out, nil
}

// last is the last entry's name.
func (p *page) last() (name string, isPrefix bool) {
	if len(p.entries) == 0 {
		return "", false
	}
	e := p.entries[len(p.entries)-1]
	return e.key, e.prefix
}

type listInput struct {
	owned
	Prefix, Delimiter, EncodingType    string
	Marker, KeyMarker, VersionIdMarker string
	StartAfter, ContinuationToken      string
	MaxKeys                            *int
	FetchOwner                         bool
	UploadIdMarker                     string
	MaxUploads                         *int
	OptionalObjectAttributes           []string
}

func (in *listInput) query() (query, error) {
	q := query{prefix: in.Prefix, delimiter: in.Delimiter, max: listMax}
	if in.MaxKeys != nil {
		if *in.MaxKeys < 0 {
			return q, invalidArgument("max-keys", "", "Argument maxKeys must be an integer between 0 and 2147483647")
		}
		q.max = min(*in.MaxKeys, listMax)
	}
	if in.EncodingType != "" && in.EncodingType != "url" {
		return q, invalidArgument("encoding-type", in.EncodingType, "Invalid Encoding Method specified in Request")
	}
	return q, nil
}

// encode writes a key as the request asks: any key can then stand in XML.
func (in *listInput) encode(s string) string {
	if in.EncodingType != "url" {
		return s
	}
	return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/")
}

type contents struct {
	Key               string
	LastModified      int64
	ETag              string
	ChecksumAlgorithm []string `json:",omitempty"`
	ChecksumType      string   `json:",omitempty"`
	Size              int64
	StorageClass      string
	Owner             *owner `json:",omitempty"`
	VersionId         string `json:",omitempty"`
	IsLatest          bool   `json:",omitempty"`
}

type commonPrefix struct{ Prefix string }

// items splits a page into objects and common prefixes.
func (b *box) items(in *listInput, p page, withOwner bool) (objects []contents, groups []commonPrefix, err error) {
	o := ownerOf(b.Account)
	for _, e := range p.entries {
		if e.prefix {
			groups = append(groups, commonPrefix{in.encode(e.key)})
			continue
		}
		var x object
		if err := decodeRow(e.row, &x); err != nil {
			return nil, nil, err
		}
		c := contents{Key: in.encode(e.key), LastModified: x.Modified / 1000, ETag: quoted(x.ETag), Size: x.Size, StorageClass: x.class()}
		if x.Sum != nil {
			c.ChecksumAlgorithm, c.ChecksumType = []string{string(x.Sum.Algorithm)}, x.Sum.Type
		}
		if withOwner {
			c.Owner = &o
		}
		objects = append(objects, c)
	}
	return objects, groups, nil
}

func listObjectsV2(c *service.Context, b *box) (any, error) {
	var in listInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	q.after = in.StartAfter
	if in.ContinuationToken != "" {
		if q.after, q.afterGroup, err = parseToken(in.ContinuationToken); err != nil {
			return nil, err
		}
	}
	p, err := list(b.rd, rowObject, b.name, q)
	if err != nil {
		return nil, err
	}
	var out struct {
		Name                                     string
		Prefix                                   string
		Delimiter, StartAfter                    string `json:",omitempty"`
		MaxKeys                                  int
		KeyCount                                 int
		EncodingType                             string `json:",omitempty"`
		IsTruncated                              bool
		ContinuationToken, NextContinuationToken string         `json:",omitempty"`
		Contents                                 []contents     `json:",omitempty"`
		CommonPrefixes                           []commonPrefix `json:",omitempty"`
	}
	if out.Contents, out.CommonPrefixes, err = b.items(&in, p, in.FetchOwner); err != nil {
		return nil, err
	}
	out.Name, out.Prefix, out.Delimiter, out.StartAfter = b.name, in.encode(in.Prefix), in.encode(in.Delimiter), in.encode(in.StartAfter)
	out.MaxKeys, out.KeyCount, out.EncodingType = q.max, len(p.entries), in.EncodingType
	out.IsTruncated, out.ContinuationToken = p.truncated, in.ContinuationToken
	if p.truncated {
		out.NextContinuationToken = makeToken(p.last())
	}
	return out, nil
}

// A continuation token is the last name that was given, with a mark for common prefixes.
func makeToken(name string, isPrefix bool) string {
	mark := "k"
	if isPrefix {
		mark = "p"
	}
	return base64.URLEncoding.EncodeToString([]byte(mark + name))
}

func parseToken(token string) (name string, isPrefix bool, err error) {
	b, err := base64.URLEncoding.DecodeString(token)
	if err != nil || len(b) < 2 || b[0] != 'k' && b[0] != 'p' {
		return "", false, invalidArgument("continuation-token", token, "The continuation token provided is incorrect")
	}
	return string(b[1:]), b[0] == 'p', nil
}

// markerGroup reports whether a marker is a common prefix of the query, as NextMarker may be.
func (q *query) markerGroup() bool {
	rest, ok := strings.CutPrefix(q.after, q.prefix)
	if !ok || q.delimiter == "" {
		return false
	}
	i := strings.Index(rest, q.delimiter)
	return i >= 0 && i+len(q.delimiter) == len(rest)
}

func listObjects(c *service.Context, b *box) (any, error) {
	var in listInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	q.after = in.Marker
	q.afterGroup = q.markerGroup()
	p, err := list(b.rd, rowObject, b.name, q)
	if err != nil {
		return nil, err
	}
	var out struct {
		Name, Prefix, Marker                string
		Delimiter, EncodingType, NextMarker string `json:",omitempty"`
		MaxKeys                             int
		IsTruncated                         bool
		Contents                            []contents     `json:",omitempty"`
		CommonPrefixes                      []commonPrefix `json:",omitempty"`
	}
	if out.Contents, out.CommonPrefixes, err = b.items(&in, p, true); err != nil {
		return nil, err
	}
	out.Name, out.Prefix, out.Marker, out.Delimiter = b.name, in.encode(in.Prefix), in.encode(in.Marker), in.encode(in.Delimiter)
	out.MaxKeys, out.EncodingType, out.IsTruncated = q.max, in.EncodingType, p.truncated
	if p.truncated && in.Delimiter != "" {
		last, _ := p.last()
		out.NextMarker = in.encode(last)
	}
	return out, nil
}

func listObjectVersions(c *service.Context, b *box) (any, error) {
	var in listInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	q.after = in.KeyMarker
	q.afterGroup = q.markerGroup()
	p, err := list(b.rd, rowObject, b.name, q)
	if err != nil {
		return nil, err
	}
	var out struct {
		Name, Prefix, KeyMarker, VersionIdMarker                    string
		Delimiter, EncodingType, NextKeyMarker, NextVersionIdMarker string `json:",omitempty"`
		MaxKeys                                                     int
		IsTruncated                                                 bool
		Versions                                                    []contents     `json:",omitempty"`
		CommonPrefixes                                              []commonPrefix `json:",omitempty"`
	}
	if out.Versions, out.CommonPrefixes, err = b.items(&in, p, true); err != nil {
		return nil, err
	}
	for i := range out.Versions {
		out.Versions[i].VersionId, out.Versions[i].IsLatest = "null", true
	}
	out.Name, out.Prefix, out.KeyMarker, out.VersionIdMarker, out.Delimiter = b.name, in.encode(in.Prefix), in.encode(in.KeyMarker), in.VersionIdMarker, in.encode(in.Delimiter)
	out.MaxKeys, out.EncodingType, out.IsTruncated = q.max, in.EncodingType, p.truncated
	if p.truncated {
		last, isPrefix := p.last()
		if out.NextKeyMarker = in.encode(last); !isPrefix {
			out.NextVersionIdMarker = "null"
		}
	}
	return out, nil
}
