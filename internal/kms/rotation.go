package kms

import (
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

const (
	rotationDays   = 365
	onDemandMost   = 10
	millisecondDay = int64(24 * time.Hour / time.Millisecond)
)

// settable finds a key whose rotation may be changed.
func settable(c *service.Context, tx store.Tx) (*key, error) {
	k, err := owned(c, tx)
	if err == nil {
		err = k.usable()
	}
	return k, err
}

func (s *Service) enableRotation(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ RotationPeriodInDays int }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	k, err := settable(c, tx)
	if err != nil {
		return nil, err
	}
	days := in.RotationPeriodInDays
	if days == 0 {
		days = rotationDays
	}
	if k.RotationDays == 0 || days != k.RotationDays {
		k.RotationSince = c.Now.UnixMilli()
	}
	k.RotationDays = days
	return nil, k.save(tx)
}

func (s *Service) disableRotation(c *service.Context, tx store.Tx) (any, error) {
	k, err := settable(c, tx)
	if err != nil {
		return nil, err
	}
	k.RotationDays, k.RotationSince = 0, 0
	return nil, k.save(tx)
}

func (s *Service) rotationStatus(c *service.Context, rd store.Reader) (any, error) {
	k, err := named(c, rd)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"KeyRotationEnabled": k.RotationDays > 0 && k.State != pendingDeletion, "KeyId": k.arn()}
	if k.RotationDays > 0 {
		period := int64(k.RotationDays) * millisecondDay
		next := k.RotationSince + period
		if now := c.Now.UnixMilli(); next <= now {
			next += (now - next + period) / period * period
		}
		out["RotationPeriodInDays"], out["NextRotationDate"] = k.RotationDays, seconds(next)
	}
	return out, nil
}

// rotateOnDemand gives the key new material; what was encrypted with the old one stays readable.
func (s *Service) rotateOnDemand(c *service.Context, tx store.Tx) (any, error) {
	k, err := settable(c, tx)
	if err != nil {
		return nil, err
	}
	done := 0
	for _, m := range k.Materials {
		if m.OnDemand {
			done++
		}
	}
	if done >= onDemandMost {
		return nil, aws.Errorf("LimitExceededException", "On-demand rotation limit of %d is reached for %s.", onDemandMost, k.arn())
	}
	s.addMaterial(k, c.Now.UnixMilli(), true)
	return map[string]any{"KeyId": k.arn()}, k.save(tx)
}

func (s *Service) listRotations(c *service.Context, rd store.Reader) (any, error) {
	k, err := named(c, rd)
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for _, m := range k.Materials[1:] {
		kind := "AUTOMATIC"
		if m.OnDemand {
			kind = "ON_DEMAND"
		}
		list = append(list, map[string]any{"KeyId": k.arn(), "RotationDate": seconds(m.Made), "RotationType": kind})
	}
	return map[string]any{"Rotations": list, "Truncated": false}, nil
}
