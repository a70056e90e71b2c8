package node

import (
	"path/filepath"

	"github.com/newel-run/newel/internal/kms"
	"github.com/newel-run/newel/internal/kms/envelope"
	"github.com/newel-run/newel/internal/service"
)

// masterKey is the file, in the data directory, under whose key the material of KMS's keys is encrypted.
const masterKey = "kms.key"

// protect makes KMS and what encrypts other services' data with its keys.
func (n *Node) protect(env *service.Env) error {
	master := kms.NewMaster()
	if !n.cfg.Memory {
		var err error
		if master, err = kms.OpenMaster(filepath.Join(n.cfg.Data, masterKey)); err != nil {
			return err
		}
	}
	vault := envelope.New(n.caller, env.Now)
	env.Vault = vault
	n.kms = kms.New(env, kms.Config{Master: master, Changed: vault.Forget})
	return nil
}
