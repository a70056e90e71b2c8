package kms

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

type aliasInput struct{ AliasName, TargetKeyId string } //nolint:revive // the API's names

// aliasOf reads the names in a request; it refuses those that are AWS's own.
func aliasOf(c *service.Context) (in aliasInput, err error) {
	if err = service.Decode(c.Request, &in); err != nil {
		return in, err
	}
	switch {
	case !strings.HasPrefix(in.AliasName, "alias/") || in.AliasName == "alias/":
		return in, aws.Errorf("ValidationException", "Invalid identifier")
	case strings.HasPrefix(in.AliasName, "alias/aws/"):
		return in, aws.Errorf("NotAuthorizedException", "")
	case strings.HasPrefix(in.TargetKeyId, "alias/") || strings.Contains(in.TargetKeyId, ":alias/"):
		return in, aws.Errorf("ValidationException", "Aliases must refer to keys. Not aliases")
	}
	return in, nil
}

// target finds the key that an alias is to mean.
func (in *aliasInput) target(c *service.Context, tx store.Tx) (*key, error) {
	k, err := find(c, tx, in.TargetKeyId)
	if err != nil {
		return nil, err
	}
	return k, k.changeable()
}

func (s *Service) createAlias(c *service.Context, tx store.Tx) (any, error) {
	in, err := aliasOf(c)
	if err != nil {
		return nil, err
	}
	there, err := readAlias(tx, c.Account, c.Region, in.AliasName)
	if err != nil {
		return nil, err
	}
	if there != nil {
		return nil, aws.Errorf("AlreadyExistsException", "An alias with the name %s already exists", aliasARN(c.Account, c.Region, in.AliasName))
	}
	k, err := in.target(c, tx)
	if err != nil {
		return nil, err
	}
	now := c.Now.UnixMilli()
	return nil, set(tx, rows(rowAlias, c.Account, c.Region).Str(in.AliasName), alias{recordVersion, k.ID, now, now})
}

// existing reads the alias that a request names.
func existing(c *service.Context, tx store.Tx, name string) (*alias, error) {
	a, err := readAlias(tx, c.Account, c.Region, name)
	if err == nil && a == nil {
		err = missing(name, c.Account, c.Region)
	}
	return a, err
}

func (s *Service) updateAlias(c *service.Context, tx store.Tx) (any, error) {
	in, err := aliasOf(c)
	if err != nil {
		return nil, err
	}
	a, err := existing(c, tx, in.AliasName)
	if err != nil {
		return nil, err
	}
	k, err := in.target(c, tx)
	if err != nil {
		return nil, err
	}
	a.Target, a.Updated = k.ID, c.Now.UnixMilli()
	return nil, set(tx, rows(rowAlias, c.Account, c.Region).Str(in.AliasName), a)
}

func (s *Service) deleteAlias(c *service.Context, tx store.Tx) (any, error) {
	in, err := aliasOf(c)
	if err != nil {
		return nil, err
	}
	if _, err := existing(c, tx, in.AliasName); err != nil {
		return nil, err
	}
	tx.Delete(rows(rowAlias, c.Account, c.Region).Str(in.AliasName))
	return nil, nil
}

type pageInput struct {
	Limit  int
	Marker string
}

// page cuts the next page out of rows in order: it reads from the marker on and gives the marker of the page after.
func page(c *service.Context, rd store.Reader, table store.Key, most int, each func(name string, row []byte) (bool, error)) (next string, err error) {
	var in pageInput
	if err := service.Decode(c.Request, &in); err != nil {
		return "", err
	}
	if in.Limit > 0 {
		most = min(most, in.Limit)
	}
	from := table
	if in.Marker != "" {
		last, err := base64.RawURLEncoding.DecodeString(in.Marker)
		if err != nil {
			return "", aws.Errorf("InvalidMarkerException", "Invalid marker")
		}
		from = table.Str(string(last)).End()
	}
	last, n := "", 0
	for k, v := range rd.Scan(from, table.End(), false) {
		name, _, ok := store.CutStr(k[len(table):])
		if !ok {
			return "", errCorrupt
		}
		if n == most {
			return base64.RawURLEncoding.EncodeToString([]byte(last)), nil
		}
		wanted, err := each(name, v)
		if err != nil {
			return "", err
		}
		if last = name; wanted {
			n++
		}
	}
	return "", nil
}

// paged is the answer with a page of a list.
func paged(name string, list any, next string) map[string]any {
	out := map[string]any{name: list, "Truncated": next != ""}
	if next != "" {
		out["NextMarker"] = next
	}
	return out
}

func (s *Service) listAliases(c *service.Context, rd store.Reader) (any, error) {
	var in keyInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	of := ""
	if in.KeyId != "" {
		k, err := find(c, rd, in.KeyId)
		if err != nil {
			return nil, err
		}
		of = k.ID
	}
	list := []map[string]any{}
	next, err := page(c, rd, rows(rowAlias, c.Account, c.Region), 100, func(name string, row []byte) (bool, error) {
		var a alias
		if json.Unmarshal(row, &a) != nil {
			return false, errCorrupt
		}
		if of != "" && a.Target != of {
			return false, nil
		}
		list = append(list, map[string]any{"AliasName": name, "AliasArn": aliasARN(c.Account, c.Region, name), "TargetKeyId": a.Target,
			"CreationDate": seconds(a.Created), "LastUpdatedDate": seconds(a.Updated)})
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return paged("Aliases", list, next), nil
}

func (s *Service) listKeys(c *service.Context, rd store.Reader) (any, error) {
	list := []map[string]any{}
	next, err := page(c, rd, rows(rowKey, c.Account, c.Region), 1000, func(_ string, row []byte) (bool, error) {
		k, err := decodeKey(row)
		if err != nil || k.gone(c.Now) {
			return false, err
		}
		list = append(list, map[string]any{"KeyId": k.ID, "KeyArn": k.arn()})
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return paged("Keys", list, next), nil
}
