package aws

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// UniqueID is the unique id of an IAM principal, such as AROA... of a role: the prefix and 17 characters that follow from
// account and name. (AWS draws them at random when the principal is made; here every service can tell the id of a
// principal from its ARN alone.)
func UniqueID(prefix, account, name string) string {
	sum := sha256.Sum256([]byte(prefix + "\x00" + account + "\x00" + name))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:17]
}

// PrincipalID is the id that AWS reports for a caller (GetCallerIdentity's UserId, a message's SenderId): the account for
// its root, AIDA... for a user, AROA...:SESSION for an assumed role. An empty principal is the account's root.
func PrincipalID(principal, account string) string {
	a, ok := ParseARN(principal)
	if !ok {
		return account
	}
	kind, name, _ := strings.Cut(a.Resource, "/")
	switch kind {
	case "user":
		return UniqueID("AIDA", a.Account, name[strings.LastIndexByte(name, '/')+1:])
	case "role":
		return UniqueID("AROA", a.Account, name[strings.LastIndexByte(name, '/')+1:])
	case "assumed-role":
		role, session, _ := strings.Cut(name, "/")
		return UniqueID("AROA", a.Account, role) + ":" + session
	}
	return a.Account
}
