package connection

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/httpcall"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// The states of a connection that it can be in here.
const (
	creating     = "CREATING"
	deleting     = "DELETING"
	authorized   = "AUTHORIZED"
	deauthorized = "DEAUTHORIZED"
)

// connection is a connection's record. Times are epoch milliseconds.
type connection struct {
	Version                       int
	Name, ID                      string
	Account, Region               string
	Description                   string `json:",omitempty"`
	Kind                          string // AuthorizationType
	State, Reason                 string
	KmsKeyIdentifier              string          `json:",omitempty"`
	SecretArn                     string          `json:",omitempty"` //nolint:revive // AWS's name
	Public                        *authParameters // what may be shown; nil after DeauthorizeConnection
	Created, Modified, Authorized int64
}

func (c *connection) arn() string {
	return aws.ARN{Service: "events", Region: c.Region, Account: c.Account, Resource: "connection/" + c.Name + "/" + c.ID}.String()
}

func (c *connection) save(tx store.Tx) error {
	return set(tx, rows(rowConnection, c.Account, c.Region).Str(c.Name), c)
}

func readConnection(rd store.Reader, account, region, name string) (*connection, error) {
	c := &connection{}
	ok, err := get(rd, rows(rowConnection, account, region).Str(name), c)
	if err == nil && !ok {
		err = notFound("Failed to describe the connection(s). Connection '%s' does not exist.", name)
	}
	return c, err
}

type connectionInput struct {
	Name, Description, AuthorizationType, KmsKeyIdentifier string
	AuthParameters                                         *authParameters
}

func readInput(c *service.Context) (*connectionInput, error) {
	in := &connectionInput{}
	var private struct {
		InvocationConnectivityParameters *struct{}
		AuthParameters                   struct{ ConnectivityParameters *struct{} }
	}
	if err := errors.Join(service.Decode(c.Request, in), service.Decode(c.Request, &private)); err != nil {
		return nil, err
	}
	if private.InvocationConnectivityParameters != nil || private.AuthParameters.ConnectivityParameters != nil {
		return nil, validation("Newel does not have connections to private APIs yet; leave connectivity parameters out: an endpoint is called from this server.")
	}
	return in, nil
}

func (s *Connections) createConnection(ctx context.Context, c *service.Context) (*aws.Output, error) {
	in, err := readInput(c)
	if err != nil {
		return nil, err
	}
	if !in.AuthParameters.fits(in.AuthorizationType) {
		return nil, validation("Parameter AuthParameters is not valid. Reason: it must have the parameters of authorization type %s only.", in.AuthorizationType)
	}
	con := &connection{Version: recordVersion, Name: in.Name, ID: aws.NewUUID(), Account: c.Account, Region: c.Region, Description: in.Description,
		Kind: in.AuthorizationType, State: creating, KmsKeyIdentifier: in.KmsKeyIdentifier, Created: c.Now.UnixMilli(), Modified: c.Now.UnixMilli()}
	err = s.transact(ctx, c, func(tx store.Tx) error {
		ok, err := get(tx, rows(rowConnection, c.Account, c.Region).Str(con.Name), &connection{})
		if err == nil && ok {
			err = aws.Errorf("ResourceAlreadyExistsException", "Connection %s already exists.", con.Name)
		}
		if err != nil {
			return err
		}
		return con.save(tx)
	})
	if err != nil {
		return nil, err
	}
	if err := s.authorize(ctx, c, con, in.AuthParameters); err != nil {
		gone := s.transact(ctx, c, func(tx store.Tx) error {
			tx.Delete(rows(rowConnection, c.Account, c.Region).Str(con.Name))
			return nil
		})
		return nil, errors.Join(err, gone)
	}
	return service.Answer(con.brief()), nil
}

// authorize keeps a connection's parameters, tries what can be tried of them, and writes the record.
func (s *Connections) authorize(ctx context.Context, c *service.Context, con *connection, p *authParameters) error {
	text, err := service.Marshal(p)
	if err != nil {
		return err
	}
	if err := s.keepSecret(ctx, c, con, string(text)); err != nil {
		return err
	}
	con.Public, con.State, con.Reason = p.public(), authorized, ""
	con.Modified = c.Now.UnixMilli()
	if p.OAuthParameters != nil {
		if _, err := s.tokens.get(ctx, con.arn(), p.OAuthParameters, c.Now, true); err != nil {
			con.State, con.Reason = deauthorized, "Authorization failed: "+err.Error()+"."
		}
	}
	if con.State == authorized {
		con.Authorized = c.Now.UnixMilli()
	}
	return s.transact(ctx, c, con.save)
}

// secretName is the name of a connection's secret. It follows from the connection, so that what a crash has left behind is
// found again.
func (c *connection) secretName() string { return "events!connection/" + c.Name + "/" + c.ID }

// keepSecret puts a connection's parameters into its secret, which is made where there is none.
func (s *Connections) keepSecret(ctx context.Context, c *service.Context, con *connection, text string) error {
	in := map[string]any{"Name": con.secretName(), "SecretString": text, "Description": "Authorization parameters of the EventBridge connection " + con.Name}
	if con.KmsKeyIdentifier != "" {
		in["KmsKeyId"] = con.KmsKeyIdentifier
	}
	var out struct{ ARN string }
	err := s.secrets(ctx, c, "CreateSecret", in, &out)
	var e *aws.Error
	if errors.As(err, &e) && e.Code == "ResourceExistsException" {
		delete(in, "Name")
		in["SecretId"] = con.secretName()
		err = s.secrets(ctx, c, "UpdateSecret", in, &out)
	}
	con.SecretArn = out.ARN
	return err
}

// secrets makes a call of Secrets Manager.
func (s *Connections) secrets(ctx context.Context, c *service.Context, operation string, in, out any) error {
	b, err := service.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := s.env.Caller.Call(ctx, &aws.Request{Service: "secretsmanager", Operation: operation, Account: c.Account, Region: c.Region, Principal: principal, Input: b})
	if err != nil {
		return err
	}
	if b, err = service.Marshal(answer.Value); err != nil {
		return err
	}
	return json.Unmarshal(b, out)
}

func (s *Connections) dropSecret(ctx context.Context, c *service.Context, con *connection) error {
	s.tokens.forget(con.arn())
	return s.secrets(ctx, c, "DeleteSecret", map[string]any{"SecretId": con.secretName(), "ForceDeleteWithoutRecovery": true}, &struct{}{})
}

// namedConnection reads the connection that a request names.
func (s *Connections) namedConnection(ctx context.Context, c *service.Context) (con *connection, err error) {
	var in struct{ Name string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	err = s.view(ctx, c, func(rd store.Reader) (err error) {
		con, err = readConnection(rd, c.Account, c.Region, in.Name)
		return err
	})
	return con, err
}

func (s *Connections) updateConnection(ctx context.Context, c *service.Context) (*aws.Output, error) {
	in, err := readInput(c)
	if err != nil {
		return nil, err
	}
	con, err := s.namedConnection(ctx, c)
	if err != nil {
		return nil, err
	}
	p := &authParameters{}
	if con.SecretArn != "" {
		if p, err = s.parameters(ctx, c, con); err != nil {
			return nil, err
		}
	}
	take(&con.Kind, in.AuthorizationType)
	take(&con.Description, in.Description)
	take(&con.KmsKeyIdentifier, in.KmsKeyIdentifier)
	p.update(con.Kind, in.AuthParameters)
	if !p.fits(con.Kind) {
		return nil, validation("Parameter AuthParameters is not valid. Reason: it must have the parameters of authorization type %s only.", con.Kind)
	}
	s.tokens.forget(con.arn())
	if err := s.authorize(ctx, c, con, p); err != nil {
		return nil, err
	}
	return service.Answer(con.brief()), nil
}

func (s *Connections) deauthorizeConnection(ctx context.Context, c *service.Context) (*aws.Output, error) {
	con, err := s.namedConnection(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := s.dropSecret(ctx, c, con); err != nil {
		return nil, err
	}
	con.State, con.Reason, con.SecretArn, con.Public, con.Modified = deauthorized, "", "", nil, c.Now.UnixMilli()
	if err := s.transact(ctx, c, con.save); err != nil {
		return nil, err
	}
	return service.Answer(con.brief()), nil
}

func (s *Connections) deleteConnection(ctx context.Context, c *service.Context) (*aws.Output, error) {
	con, err := s.namedConnection(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := s.dropSecret(ctx, c, con); err != nil {
		return nil, err
	}
	err = s.transact(ctx, c, func(tx store.Tx) error {
		tx.Delete(rows(rowConnection, c.Account, c.Region).Str(con.Name))
		return nil
	})
	con.State = deleting
	return service.Answer(con.brief()), err
}

// brief is what the operations that change a connection answer.
func (c *connection) brief() map[string]any {
	out := map[string]any{"ConnectionArn": c.arn(), "ConnectionState": c.State, "CreationTime": float64(c.Created) / 1000, "LastModifiedTime": float64(c.Modified) / 1000}
	if c.Authorized != 0 {
		out["LastAuthorizedTime"] = float64(c.Authorized) / 1000
	}
	return out
}

// entry is a connection as lists show it.
func (c *connection) entry() map[string]any {
	out := c.brief()
	out["Name"], out["AuthorizationType"] = c.Name, c.Kind
	if c.Reason != "" {
		out["StateReason"] = c.Reason
	}
	return out
}

func (s *Connections) describeConnection(ctx context.Context, c *service.Context) (*aws.Output, error) {
	con, err := s.namedConnection(ctx, c)
	if err != nil {
		return nil, err
	}
	out := con.entry()
	for name, v := range map[string]string{"Description": con.Description, "SecretArn": con.SecretArn, "KmsKeyIdentifier": con.KmsKeyIdentifier} {
		if v != "" {
			out[name] = v
		}
	}
	if con.Public != nil {
		out["AuthParameters"] = con.Public
	}
	return service.Answer(out), nil
}

func (s *Connections) listConnections(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		ConnectionState string
		listInput
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return in.page(rd, rows(rowConnection, c.Account, c.Region), "Connections", func(row []byte) (string, map[string]any, error) {
		con := &connection{}
		if json.Unmarshal(row, con) != nil {
			return "", nil, errCorrupt
		}
		if in.ConnectionState != "" && con.State != in.ConnectionState {
			return "", nil, nil
		}
		return con.Name, con.entry(), nil
	})
}

// parameters reads a connection's parameters out of its secret.
func (s *Connections) parameters(ctx context.Context, c *service.Context, con *connection) (*authParameters, error) {
	var out struct{ SecretString string }
	if err := s.secrets(ctx, c, "GetSecretValue", map[string]string{"SecretId": con.SecretArn}, &out); err != nil {
		return nil, err
	}
	p := &authParameters{}
	if json.Unmarshal([]byte(out.SecretString), p) != nil {
		return nil, aws.Errorf("AccessDenied", "The secret of connection %s has been changed: it cannot be read.", con.Name)
	}
	return p, nil
}

// Retrieve is an operation that only this server has: what a connection adds to a request, with a token that is asked for
// anew if Fresh says that the one before was refused. Its errors are the ends of Events.ConnectionResource error names.
const Retrieve = "RetrieveConnectionCredentials"

func (s *Connections) retrieveCredentials(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in struct {
		ConnectionArn string //nolint:revive // AWS's name
		Fresh         bool
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	add, renewable, err := s.additions(ctx, c, in.ConnectionArn, in.Fresh)
	if err != nil {
		return nil, err
	}
	return service.Answer(map[string]any{"Headers": add.Headers, "Query": add.Query, "Body": add.Body, "Renewable": renewable}), nil
}

// additions are what a connection adds to a request. The connection is found by the name in its ARN: the id behind it, which
// nobody can choose, may be that of the connection of the same name on AWS. renewable is set if a refused token can be replaced.
func (s *Connections) additions(ctx context.Context, c *service.Context, arn string, fresh bool) (add httpcall.Additions, renewable bool, err error) {
	var con *connection
	var e *aws.Error
	err = s.view(ctx, c, func(rd store.Reader) (err error) {
		con, err = readConnection(rd, c.Account, c.Region, connectionName(arn))
		return err
	})
	switch {
	case errors.As(err, &e) && e.Code == "ResourceNotFoundException":
		return add, false, aws.Errorf("ResourceNotFound", "Connection %s does not exist.", arn)
	case err != nil:
		return add, false, aws.Errorf("InternalError", "%s", err)
	case con.State != authorized:
		return add, false, aws.Errorf("InvalidConnectionState", "Connection %s is in state %s. It must be in state %s.", arn, con.State, authorized)
	}
	p, err := s.parameters(ctx, c, con)
	if err != nil {
		return add, false, aws.Errorf("AccessDenied", "The secret of connection %s cannot be read: %s", arn, err)
	}
	add = p.static()
	if p.OAuthParameters == nil {
		return add, false, nil
	}
	header, err := s.tokens.get(ctx, con.arn(), p.OAuthParameters, c.Now, fresh)
	if err != nil {
		return add, false, aws.Errorf("InvalidConnectionState", "Connection %s could not be authorized: %s.", arn, err)
	}
	add.Headers = append([]httpcall.Pair{header}, add.Headers...)
	return add, !fresh, nil
}
