package s3

import (
	"testing"
)

func TestBucketNames(t *testing.T) {
	for name, want := range map[string]bool{"abc": true, "a.b-c1": true, "ab": false, "Abc": false, "a_b": false, "-ab": false, "ab-": false, "a..b": false,
		"1.2.3.4": false, "xn--abc": false, "a-s3alias": false, "0abc": true} {
		if validBucketName(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-1", "bytes=-5", "bytes=3-", "bytes=1-0", "bytes=0-1,3-4", "bytes=-0"} {
		f.Add(s, int64(4))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		r, ok, err := parseRange(header, size)
		if ok && (err != nil || r.offset < 0 || r.n <= 0 || r.offset+r.n > size) {
			t.Errorf("%q of %d: %+v, %v", header, size, r, err)
		}
	})
}

func FuzzSource(f *testing.F) {
	for _, s := range []string{"/b/k", "b/k%20x?versionId=null", "arn:aws:s3:::x", "b", "%zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		bucket, key, _, err := parseSource(text)
		if err == nil && (bucket == "" || key == "") {
			t.Errorf("%q: bucket %q, key %q", text, bucket, key)
		}
		_, _, _ = parseToken(text)
		_, _ = parseTagHeader(text)
	})
}
