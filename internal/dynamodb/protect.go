package dynamodb

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/dynamodb/attr"
	"github.com/newel-run/newel/internal/service"
)

// A table with a KMS key keeps its items encrypted: the row of an item is then sealedVersion, the item's size and what
// the vault made of its JSON. The values of key attributes stand in the keys of rows too, where they order them, and
// are not encrypted there.
const sealedVersion = 2

// keyReuse is how long one data key encrypts items, and is kept for decrypting them. A key that is disabled bites at once
// all the same (internal/kms/envelope).
const keyReuse = 24 * time.Hour

// protection is how a table's items are kept, nil for a table without a key.
func (tb *table) protection(account, region string) *service.Protection {
	if tb.SSE == nil {
		return nil
	}
	p := opening(tb, account, region)
	p.KeyID = tb.SSE.KMSMasterKeyArn
	return p
}

// opening is what items of a table are bound to when they are sealed.
func opening(tb *table, account, region string) *service.Protection {
	return &service.Protection{Account: account, Region: region, Reuse: keyReuse,
		Context: map[string]string{"aws:dynamodb:tableName": tb.Name, "aws:dynamodb:subscriberId": account}}
}

// encodeItem is an item as the table keeps it.
func (t *txn) encodeItem(tb *table, m *attr.Map, size int) ([]byte, error) {
	p := tb.protection(t.Account, t.Region)
	if p == nil {
		return encodeItem(m, size), nil
	}
	sealed, err := t.Env.Seal(p, m.AppendJSON(nil))
	if err != nil {
		return nil, err
	}
	return append(binary.AppendUvarint([]byte{sealedVersion}, uint64(size)), sealed...), nil
}

// decodeItem reads a row of a table's items.
func (t *txn) decodeItem(tb *table, b []byte) (*item, error) {
	if len(b) == 0 || b[0] != sealedVersion {
		return decodeItem(b)
	}
	size, n := binary.Uvarint(b[1:])
	json, err := t.Env.Open(opening(tb, t.Account, t.Region), b[1+n:])
	return &item{size: int(size), json: json}, err
}

// protectable makes sure that the key of a table can be used.
func (t *txn) protectable(tb *table) error {
	if p := tb.protection(t.Account, t.Region); p != nil && t.Env.Vault != nil {
		_, err := t.Env.Seal(p, nil)
		return err
	}
	return nil
}

// reseal rewrites all items of a table whose encryption has changed.
func (t *txn) reseal(tb *table) error {
	if err := t.protectable(tb); err != nil || t.Env.Vault == nil {
		return err
	}
	base := itemsOf(tb.Number)
	for key, b := range t.Scan(base, base.End(), false) {
		it, err := t.decodeItem(tb, b)
		if err != nil {
			return err
		}
		m, err := it.attributes()
		if err != nil {
			return err
		}
		row, err := t.encodeItem(tb, m, it.size)
		if err != nil {
			return err
		}
		t.tx.Set(bytes.Clone(key), row)
	}
	return nil
}

// keyFault is DynamoDB's error for a refusal of KMS.
func keyFault(e *aws.Error) error {
	switch e.Code {
	case "NotFoundException", "InvalidArnException":
		return attr.Invalid("One or more parameter values were invalid: KMS key could not be used: " + e.Message)
	case "DisabledException", "KMSInvalidStateException", "AccessDeniedException", "InvalidKeyUsageException":
		return aws.Errorf("AccessDeniedException", "KMS key access denied error: %s (Service: AWSKMS; Status Code: %d; Error Code: %s; Request ID: null)",
			e.Message, e.HTTPStatus(), e.Code)
	}
	return e
}
