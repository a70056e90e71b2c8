package expr

import "testing"

func TestReservedWords(t *testing.T) {
	if len(reserved) != 573 {
		t.Errorf("%d reserved words, the Developer Guide lists 573", len(reserved))
	}
	for word, want := range map[string]bool{"status": true, "Status": true, "ZONE": true, "abort": true, "id": false, "n": false, "_": false} {
		if isReserved(word) != want {
			t.Errorf("isReserved(%q) is %t", word, !want)
		}
	}
}
