package kms

import (
	"errors"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

const symmetric = "SYMMETRIC_DEFAULT"

type encryptInput struct {
	KeyId               string //nolint:revive // the API's name
	Plaintext           []byte
	EncryptionContext   map[string]string
	EncryptionAlgorithm string
	DryRun              bool
}

// ready finds a key that may be used now. A dry run ends with AWS's error that says so.
func ready(c *service.Context, rd store.Reader, id, algorithm string, dry bool) (*key, error) {
	k, err := find(c, rd, id)
	if err != nil {
		return nil, err
	}
	if err = k.usable(); err != nil {
		return nil, err
	}
	if algorithm != "" && algorithm != symmetric {
		return nil, aws.Errorf("InvalidKeyUsageException", "%s key usage is ENCRYPT_DECRYPT which is not valid for %s.", k.arn(), algorithm)
	}
	if dry {
		return nil, dryRun()
	}
	return k, nil
}

func dryRun() *aws.Error {
	return &aws.Error{Code: "DryRunOperationException", Status: 412, Message: "The request would have succeeded, but the DryRun option is set."}
}

func (s *Service) encrypt(c *service.Context, rd store.Reader) (any, error) {
	var in encryptInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	k, err := ready(c, rd, in.KeyId, in.EncryptionAlgorithm, in.DryRun)
	if err != nil {
		return nil, err
	}
	b, err := s.seal(k, in.Plaintext, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	return map[string]any{"CiphertextBlob": b, "KeyId": k.arn(), "EncryptionAlgorithm": symmetric}, nil
}

type decryptInput struct {
	CiphertextBlob      []byte
	EncryptionContext   map[string]string
	KeyId               string //nolint:revive // the API's name
	EncryptionAlgorithm string
	DryRun              bool
	Recipient           *struct{}
}

// decrypted is a ciphertext's plaintext and its key.
func (s *Service) decrypted(c *service.Context, rd store.Reader, in *decryptInput) (*key, []byte, error) {
	p, ok := parseBlob(in.CiphertextBlob)
	if !ok {
		return nil, nil, invalidCiphertext()
	}
	k, err := readKey(rd, p.account, p.region, p.id, c.Now)
	if err != nil {
		return nil, nil, err
	}
	if k == nil {
		return nil, nil, missing("key/"+p.id, p.account, p.region)
	}
	if in.KeyId != "" {
		named, err := find(c, rd, in.KeyId)
		if err != nil {
			return nil, nil, err
		}
		if named.ID != k.ID {
			return nil, nil, aws.Errorf("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
		}
	}
	if err = k.usable(); err != nil {
		return nil, nil, err
	}
	plain, err := s.open(k, p, in.EncryptionContext)
	if errors.Is(err, errForged) {
		err = invalidCiphertext()
	} else if err == nil && in.DryRun {
		err = dryRun()
	}
	return k, plain, err
}

// invalidCiphertext has no message at AWS either.
func invalidCiphertext() *aws.Error { return aws.Errorf("InvalidCiphertextException", "") }

func (s *Service) decrypt(c *service.Context, rd store.Reader) (any, error) {
	var in decryptInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.Recipient != nil {
		return nil, unsupported("recipients (Nitro enclaves)")
	}
	if len(in.CiphertextBlob) == 0 {
		return nil, aws.Errorf("ValidationException", "CiphertextBlob must not be empty.")
	}
	k, plain, err := s.decrypted(c, rd, &in)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Plaintext": plain, "KeyId": k.arn(), "EncryptionAlgorithm": symmetric}, nil
}

func (s *Service) reEncrypt(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		CiphertextBlob                                        []byte
		SourceEncryptionContext, DestinationEncryptionContext map[string]string
		SourceKeyId, DestinationKeyId                         string //nolint:revive // the API's names
		SourceEncryptionAlgorithm                             string
		DestinationEncryptionAlgorithm                        string
		DryRun                                                bool
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	from, plain, err := s.decrypted(c, rd, &decryptInput{CiphertextBlob: in.CiphertextBlob, EncryptionContext: in.SourceEncryptionContext, KeyId: in.SourceKeyId})
	if err != nil {
		return nil, err
	}
	to, err := ready(c, rd, in.DestinationKeyId, in.DestinationEncryptionAlgorithm, in.DryRun)
	if err != nil {
		return nil, err
	}
	b, err := s.seal(to, plain, in.DestinationEncryptionContext)
	if err != nil {
		return nil, err
	}
	return map[string]any{"CiphertextBlob": b, "SourceKeyId": from.arn(), "KeyId": to.arn(),
		"SourceEncryptionAlgorithm": symmetric, "DestinationEncryptionAlgorithm": symmetric}, nil
}

type dataKeyInput struct {
	KeyId             string //nolint:revive // the API's name
	EncryptionContext map[string]string
	NumberOfBytes     int
	KeySpec           string
	DryRun            bool
	Recipient         *struct{}
}

// dataKey is a random data key, encrypted and not.
func (s *Service) dataKey(c *service.Context, rd store.Reader) (k *key, plain, sealed []byte, err error) {
	var in dataKeyInput
	if err = service.Decode(c.Request, &in); err != nil {
		return nil, nil, nil, err
	}
	if in.Recipient != nil {
		return nil, nil, nil, unsupported("recipients (Nitro enclaves)")
	}
	n := in.NumberOfBytes
	if (n == 0) == (in.KeySpec == "") {
		return nil, nil, nil, aws.Errorf("ValidationException", "Please specify either number of bytes or key spec.")
	}
	switch in.KeySpec {
	case "AES_256":
		n = 32
	case "AES_128":
		n = 16
	}
	if k, err = ready(c, rd, in.KeyId, "", in.DryRun); err != nil {
		return nil, nil, nil, err
	}
	plain = random(n)
	sealed, err = s.seal(k, plain, in.EncryptionContext)
	return k, plain, sealed, err
}

func (s *Service) generateDataKey(c *service.Context, rd store.Reader) (any, error) {
	k, plain, sealed, err := s.dataKey(c, rd)
	if err != nil {
		return nil, err
	}
	return map[string]any{"CiphertextBlob": sealed, "Plaintext": plain, "KeyId": k.arn()}, nil
}

func (s *Service) generateDataKeyBlind(c *service.Context, rd store.Reader) (any, error) {
	k, _, sealed, err := s.dataKey(c, rd)
	if err != nil {
		return nil, err
	}
	return map[string]any{"CiphertextBlob": sealed, "KeyId": k.arn()}, nil
}

func (s *Service) generateRandom(c *service.Context, _ store.Reader) (any, error) {
	var in struct {
		NumberOfBytes    int
		CustomKeyStoreId string //nolint:revive // the API's name
		Recipient        *struct{}
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.CustomKeyStoreId != "" || in.Recipient != nil {
		return nil, unsupported("custom key stores and recipients")
	}
	if in.NumberOfBytes == 0 {
		return nil, aws.Errorf("ValidationException", "NumberOfBytes is required.")
	}
	return map[string]any{"Plaintext": random(in.NumberOfBytes)}, nil
}

// unsupported refuses what the service does not do, by name.
func unsupported(what string) *aws.Error {
	return aws.Errorf("UnsupportedOperationException", "Newel does not implement %s yet.", what)
}
