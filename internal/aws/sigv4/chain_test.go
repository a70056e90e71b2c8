package sigv4

import (
	"strings"
	"testing"
)

// The example of AWS's description of chunked uploads.
func TestChain(t *testing.T) {
	const scope, secret = "20130524/us-east-1/s3/aws4_request", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	c := &Chain{key: signingKey(secret, scope), stamp: "20130524T000000Z", scope: scope, last: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"}
	for i, x := range []struct {
		size      int
		signature string
	}{
		{65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"},
		{1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"},
		{0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"},
	} {
		if !c.Chunk(x.signature, hashHex([]byte(strings.Repeat("a", x.size)))) {
			t.Errorf("chunk %d has another signature than AWS says", i)
		}
	}
	if c.Chunk("b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9", hashHex(nil)) {
		t.Error("a signature does not count twice")
	}
}
