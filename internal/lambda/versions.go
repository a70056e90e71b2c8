package lambda

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

func publishVersion(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		FunctionName, CodeSha256, RevisionId, PublishTo string //nolint:revive // AWS's names
		Description                                     *string
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	f, err := findUnqualified(c, tx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if in.PublishTo != "" {
		return nil, unsupported("PublishTo")
	}
	if err = checkRevision(f, in.RevisionId); err != nil {
		return nil, err
	}
	if sum := codeSha256(f.CodeHash); in.CodeSha256 != "" && in.CodeSha256 != sum {
		return nil, invalid("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", in.CodeSha256, sum)
	}
	description := f.Description
	if in.Description != nil {
		description = *in.Description
	}
	v, err := publish(tx, f, description, c.Now)
	if err != nil {
		return nil, err
	}
	return v.qualifiedConfiguration(v.Version), nil
}

// publish makes a version of $LATEST and stores both. If the latest version was published from the same code and
// configuration, that version is the answer and nothing changes.
func publish(tx store.Tx, f *record, description string, now time.Time) (*record, error) {
	print, err := f.fingerprint()
	if err != nil {
		return nil, err
	}
	last, err := lastVersion(tx, f.identity)
	if err != nil {
		return nil, err
	}
	if last != nil && last.Fingerprint == print {
		return last, put(tx, f)
	}
	f.Published++
	v := *f
	v.Version, v.Published, v.Fingerprint, v.Description = strconv.Itoa(f.Published), 0, print, description
	v.attachment, v.Qualified, v.Tags, v.Reserved = attachment{}, nil, nil, nil
	v.revise(now)
	if err = put(tx, f); err != nil {
		return nil, err
	}
	return &v, put(tx, &v)
}

// fingerprint tells codes and configurations apart.
func (f *record) fingerprint() (string, error) {
	same := *f
	same.V, same.Published, same.LastModified, same.RevisionID, same.Generation = 1, 0, time.Time{}, "", ""
	same.attachment, same.Qualified, same.Tags, same.Reserved = attachment{}, nil, nil, nil
	b, err := json.Marshal(same)
	sum := sha256.Sum256(b)
	return base64.StdEncoding.EncodeToString(sum[:]), err
}

func lastVersion(rd store.Reader, id identity) (*record, error) {
	all := id.versionsKey()
	for _, b := range rd.Scan(all, all.End(), true) {
		return decode(b)
	}
	return nil, nil
}

// versions are the published versions of a function in the order of their numbers.
func versions(rd store.Reader, id identity) ([]*record, error) {
	var list []*record
	all := id.versionsKey()
	for _, b := range rd.Scan(all, all.End(), false) {
		v, err := decode(b)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func listVersions(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		FunctionName, Marker string
		MaxItems             int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	f, err := findUnqualified(c, rd, in.FunctionName)
	if err != nil {
		return nil, err
	}
	list, err := versions(rd, f.identity)
	if err != nil {
		return nil, err
	}
	list = append([]*record{f}, list...)
	after, err := marker(in.Marker)
	if err != nil {
		return nil, err
	}
	page := []*configuration{}
	out := map[string]any{}
	for _, v := range list {
		if n, _ := strconv.Atoi(v.Version); in.Marker != "" && n <= after { // $LATEST counts as 0
			continue
		}
		if len(page) == pageSize(in.MaxItems) {
			out["NextMarker"] = strings.TrimPrefix(page[len(page)-1].Version, "$")
			break
		}
		page = append(page, v.listed(v.version()))
	}
	out["Versions"] = page
	return out, nil
}

// marker is the number of the last version of the page before.
func marker(text string) (int, error) {
	if text == "" || "$"+text == latest {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, invalid("Invalid marker: %s", text)
	}
	return n, nil
}

func pageSize(asked int) int {
	if asked <= 0 {
		return pageMax
	}
	return min(asked, pageMax)
}

// prune removes the code that neither $LATEST, whose package has the hash own, nor a version of the function has.
func prune(tx store.Tx, id identity, own string) error {
	list, err := versions(tx, id)
	if err != nil {
		return err
	}
	used := map[string]bool{own: true}
	for _, v := range list {
		used[v.CodeHash] = true
	}
	all := codeKey(id)
	for k := range tx.Scan(all, all.End(), false) {
		if hash, _, ok := store.CutStr(k[len(all):]); ok && !used[hash] {
			tx.Delete(k)
		}
	}
	return nil
}

func (s *Service) deleteFunction(c *service.Context, tx store.Tx) (any, error) {
	var in named
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	id, q, err := target(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	f, err := need(tx, id)
	if err != nil {
		return nil, err
	}
	switch {
	case q == latest:
		return nil, invalid("$LATEST version cannot be deleted without deleting the function.")
	case q != "":
		return s.deleteVersion(c, tx, f, q)
	}
	tx.Delete(f.key())
	for _, rows := range []store.Key{codeKey(id), id.versionsKey(), id.aliasesKey()} {
		tx.DeleteRange(rows, rows.End())
	}
	c.After = append(c.After, func() {
		s.retired(id, "")
		for n := 1; n <= f.Published; n++ {
			s.retired(id, strconv.Itoa(n))
		}
	})
	return members{StatusCode: 204}, nil
}

func (s *Service) deleteVersion(c *service.Context, tx store.Tx, f *record, q string) (any, error) {
	if !numberRE.MatchString(q) {
		return nil, invalid("Deletion of aliases is not currently supported. Use DeleteAlias.")
	}
	v, err := resolve(tx, f, q, mainVersion)
	if err != nil {
		return nil, err
	}
	list, err := aliases(tx, f.identity)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if _, weighted := a.Weights[v.Version]; weighted || a.FunctionVersion == v.Version {
			return nil, fail("ResourceConflictException", 409, "Version %s is referenced by the alias %s: delete or change the alias first", v.Version, a.Name)
		}
	}
	tx.Delete(v.rowKey())
	if f.Qualified[v.Version] != nil {
		delete(f.Qualified, v.Version)
		if err = put(tx, f); err != nil {
			return nil, err
		}
	}
	c.After = append(c.After, func() { s.retired(f.identity, v.Version) })
	return members{StatusCode: 204}, prune(tx, f.identity, f.CodeHash)
}

// retired ends the workers of a function or version that was changed or deleted.
func (s *Service) retired(id identity, version string) {
	s.mu.Lock()
	if version == "" {
		delete(s.cached, string(id.key()))
	}
	s.mu.Unlock()
	if s.pool != nil {
		s.pool.Retire(qualify(id.arn(), version))
	}
}
