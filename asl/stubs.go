package asl

import (
	"time"

	"github.com/newel-run/newel/asl/value"
)

type flow any
type catchFlow any

func Compile(text []byte, o Options) (*Definition, []Diagnostic)                      { panic("stub") }
func InvalidDefinition(ds []Diagnostic) string                                        { panic("stub") }
func (d *Definition) StateNamed(name string) *State                                   { panic("stub") }
func (s *State) Effective(env *Env) (*value.Doc, error)                               { panic("stub") }
func (s *State) Arguments(env *Env) (*value.Doc, error)                               { panic("stub") }
func (s *State) Output(env *Env, raw, result *value.Doc) (*value.Doc, error)          { panic("stub") }
func (s *State) CatchOutput(env *Env, i int, raw, out *value.Doc) (*value.Doc, error) { panic("stub") }
func (r *Retrier) Matches(errorName string) bool                                      { panic("stub") }
func (c *Catcher) Matches(errorName string) bool                                      { panic("stub") }
func (s *State) Choose(env *Env) (*State, error)                                      { panic("stub") }
func (s *State) WaitUntil(env *Env) (time.Time, error)                                { panic("stub") }
func (s *State) FailWith(env *Env) (errorName, cause *string, err error)              { panic("stub") }
func (s *State) TimeoutSeconds(env *Env) (int64, error)                               { panic("stub") }
func (s *State) HeartbeatSeconds(env *Env) (int64, error)                             { panic("stub") }
func (s *State) CredentialsRole(env *Env) (string, error)                             { panic("stub") }
func (s *State) Items(env *Env) ([]*value.Doc, error)                                 { panic("stub") }
func (s *State) ItemInput(env *Env, item *value.Doc) (*value.Doc, error)              { panic("stub") }
func (s *State) MaxConcurrency(env *Env) (int64, error)                               { panic("stub") }
