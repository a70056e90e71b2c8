package sts

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
)

// keyPrefix starts the access key ids that this server gives out. AWS's own start with ASIA; ours are meant to be seen
// as what they are, not only by people but by scanners for leaked credentials.
const keyPrefix = "NSIA"

// tokenPrefix starts session tokens; JSON of a session follows in base64.
const tokenPrefix = "NewelSession/"

// session is what a session token carries. It is not secret and not signed: who may call the server is decided by the
// gateway's credentials.
type session struct {
	Account   string `json:"a"`
	Principal string `json:"p"` // ARN; "" for the account's root
	Expires   int64  `json:"e"` // s; told to the client, not enforced
}

// credentials are an answer's Credentials member.
type credentials struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      int64 // s
}

func issue(account, principal string, expires time.Time) (credentials, error) {
	s := session{account, principal, expires.Unix()}
	text, err := json.Marshal(s)
	if err != nil {
		return credentials{}, err
	}
	return credentials{accessKeyID(account), "not-a-secret/" + rand.Text() + "0", tokenPrefix + base64.RawURLEncoding.EncodeToString(text), s.Expires}, nil
}

// accessKeyID makes a new id: the prefix and 80 bits in base32, a zero bit, 40 bits of the account's number as in AWS's own
// ids, 39 random bits.
func accessKeyID(account string) string {
	n, err := strconv.ParseUint(account, 10, 40)
	if err != nil {
		panic("sts: account " + account + " is not a number of 12 digits")
	}
	var b [10]byte
	rand.Read(b[:])
	head := n<<7 | uint64(b[5]&0x7f)
	for i := range 6 {
		b[i] = byte(head >> (8 * (5 - i)))
	}
	return keyPrefix + base32.StdEncoding.EncodeToString(b[:])
}

var (
	accountID = regexp.MustCompile(`^[0-9]{12}$`)
	longKeyID = regexp.MustCompile(`^[A-Z]{4}[A-Z2-7]{16}$`)
)

// accountOf decodes the account from an access key id of 20 characters.
func accountOf(id string) (string, bool) {
	if !longKeyID.MatchString(id) {
		return "", false
	}
	b, err := base32.StdEncoding.DecodeString(id[len(keyPrefix):])
	if err != nil {
		return "", false
	}
	n := binary.BigEndian.Uint64(b[:8]) >> 16 & 0x7fffffffff80 >> 7
	account := strconv.FormatUint(n, 10)
	if len(account) > 12 {
		return "", false
	}
	return strings.Repeat("0", 12-len(account)) + account, true
}

// Identify tells whom credentials belong to that this server gave out: the account by the access key id, the principal
// by the session token ("" for the account's root, or if the token is missing or another account's).
func Identify(accessKey, sessionToken string) (account, principal string, ok bool) {
	if !strings.HasPrefix(accessKey, keyPrefix) {
		return "", "", false
	}
	if account, ok = accountOf(accessKey); !ok {
		return "", "", false
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(sessionToken, tokenPrefix))
	var s session
	if err != nil || json.Unmarshal(text, &s) != nil || s.Account != account {
		return account, "", true
	}
	if _, isARN := aws.ParseARN(s.Principal); !isARN {
		return account, "", true
	}
	return account, s.Principal, true
}
