package secretsmanager

import (
	"crypto/rand"
	"math/big"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// The characters that passwords are made of.
const (
	lower        = "abcdefghijklmnopqrstuvwxyz"
	upper        = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits       = "0123456789"
	punctuation  = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
	alphanumeric = lower + upper + digits
)

type passwordInput struct {
	PasswordLength                                                         *int
	ExcludeCharacters                                                      string
	ExcludeNumbers, ExcludePunctuation, ExcludeUppercase, ExcludeLowercase bool
	IncludeSpace                                                           bool
	RequireEachIncludedType                                                *bool
}

// sets are the kinds of characters that a password is to have.
func (in *passwordInput) sets() []string {
	var out []string
	for _, k := range []struct {
		out  bool
		text string
	}{{in.ExcludeLowercase, lower}, {in.ExcludeUppercase, upper}, {in.ExcludeNumbers, digits}, {in.ExcludePunctuation, punctuation}, {!in.IncludeSpace, " "}} {
		text := strings.Map(func(r rune) rune {
			if strings.ContainsRune(in.ExcludeCharacters, r) {
				return -1
			}
			return r
		}, k.text)
		if !k.out && text != "" {
			out = append(out, text)
		}
	}
	return out
}

func (s *Service) getRandomPassword(c *service.Context, _ store.Reader) (any, error) {
	var in passwordInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	password, err := in.password()
	if err != nil {
		return nil, err
	}
	return map[string]string{"RandomPassword": password}, nil
}

// password draws a password.
func (in *passwordInput) password() (string, error) {
	length, each := 32, in.RequireEachIncludedType == nil || *in.RequireEachIncludedType
	if in.PasswordLength != nil {
		length = *in.PasswordLength
	}
	sets := in.sets()
	switch {
	case len(sets) == 0:
		return "", invalidParameter("You must include at least one character type in the password.")
	case each && length < len(sets):
		return "", invalidParameter("The password length must be at least %d to contain each of the included character types.", len(sets))
	}
	password := []byte(randomText(strings.Join(sets, ""), length))
	if each {
		for i, at := range distinct(length, len(sets)) {
			password[at] = randomText(sets[i], 1)[0]
		}
	}
	return string(password), nil
}

// generateValue is an operation that only this server has: it makes a password and stores it as the secret's value, alone or as
// a member of a JSON object. It is CloudFormation's GenerateSecretString.
const generateValue = "GenerateSecretValue"

func (s *Service) generateSecretValue(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		SecretId, SecretStringTemplate, GenerateStringKey, ClientRequestToken string //nolint:revive // the API's names
		Password                                                              passwordInput
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if (in.SecretStringTemplate == "") != (in.GenerateStringKey == "") {
		return nil, invalidRequest("SecretStringTemplate and GenerateStringKey must be specified together.")
	}
	sec, err := live(c, tx, in.SecretId)
	if err != nil {
		return nil, err
	}
	text, err := in.Password.password()
	if err != nil {
		return nil, err
	}
	if in.GenerateStringKey != "" {
		if text, err = withMember(in.SecretStringTemplate, in.GenerateStringKey, text); err != nil {
			return nil, err
		}
	}
	v, err := sec.put(c, tx, &valueInput{SecretString: &text, ClientRequestToken: in.ClientRequestToken}, []string{current})
	if err != nil {
		return nil, err
	}
	return map[string]any{"ARN": sec.arn(), "Name": sec.Name, "VersionId": v.ID}, sec.save(tx)
}

// withMember adds a member to a JSON object, as its last.
func withMember(template, name, text string) (string, error) {
	parsed, err := value.Parse([]byte(template))
	o, ok := parsed.(*value.Object)
	if err != nil || !ok {
		return "", invalidRequest("Could not parse SecretStringTemplate JSON.")
	}
	o = o.Clone()
	o.Set(name, text)
	return string(value.Append(nil, o)), nil
}

// distinct draws n different places below length.
func distinct(length, n int) []int {
	places := make([]int, length)
	for i := range places {
		places[i] = i
	}
	for i := range n {
		k := i + randomBelow(length-i)
		places[i], places[k] = places[k], places[i]
	}
	return places[:n]
}

// randomText draws characters of an ASCII set.
func randomText(set string, length int) string {
	b := make([]byte, length)
	for i := range b {
		b[i] = set[randomBelow(len(set))]
	}
	return string(b)
}

func randomBelow(n int) int {
	v, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic(err) // the system has no randomness
	}
	return int(v.Int64())
}
