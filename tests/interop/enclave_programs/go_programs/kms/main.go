// Command kms waits on vsock port 5000 for one job of the parent's, does it attested with AWS's SDK,
// and answers with one JSON object. The SDK knows AWS's own endpoint; the connection goes over vsock
// to the proxy on port 8000 of the parent, and TLS ends here, under the image's trust store.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/hf/nsm"
	"github.com/hf/nsm/request"
	"github.com/mdlayher/vsock"
)

const parent, proxy, jobs = 3, 8000, 5000

// Job is what the parent sends: the role's credentials, and what is to be decrypted or made.
type Job struct {
	Region, AccessKeyID, SecretAccessKey, SessionToken string
	Ciphertext                                         []byte
	KeyID                                              string
	Attested                                           bool
}

// Answer is what it gets: nothing of the plaintext but what shows that it was opened.
type Answer struct {
	Plaintext []byte
	Envelope  int
	Code      string
	Error     string
}

func main() {
	listener, err := vsock.Listen(jobs, nil)
	if err != nil {
		panic(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		var job Job
		answer := Answer{}
		if err := json.NewDecoder(conn).Decode(&job); err != nil {
			answer.Error = err.Error()
		} else if answer, err = do(context.Background(), job); err != nil {
			answer.Error = err.Error()
			var refused smithy.APIError
			if errors.As(err, &refused) {
				answer.Code = refused.ErrorCode()
			}
		}
		_ = json.NewEncoder(conn).Encode(answer)
		conn.Close()
	}
}

func do(ctx context.Context, job Job) (Answer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return Answer{}, err
	}
	var recipient *types.RecipientInfo
	if job.Attested {
		document, err := attest(key)
		if err != nil {
			return Answer{}, err
		}
		recipient = &types.RecipientInfo{
			AttestationDocument:    document,
			KeyEncryptionAlgorithm: types.KeyEncryptionMechanismRsaesOaepSha256,
		}
	}
	envelope, plaintext, err := ask(ctx, client(job), job, recipient)
	if err != nil || recipient == nil {
		return Answer{Plaintext: plaintext}, err
	}
	opened, err := open(envelope, key)
	return Answer{Plaintext: opened, Envelope: len(envelope)}, err
}

// ask decrypts the job's ciphertext, or makes a data key where there is none.
func ask(ctx context.Context, client *kms.Client, job Job, recipient *types.RecipientInfo) ([]byte, []byte, error) {
	meaning := map[string]string{"dataset": "records"}
	if job.Ciphertext == nil {
		made, err := client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
			KeyId: aws.String(job.KeyID), KeySpec: types.DataKeySpecAes256,
			EncryptionContext: meaning, Recipient: recipient,
		})
		if err != nil {
			return nil, nil, err
		}
		return made.CiphertextForRecipient, made.Plaintext, nil
	}
	opened, err := client.Decrypt(ctx, &kms.DecryptInput{
		CiphertextBlob: job.Ciphertext, EncryptionContext: meaning, Recipient: recipient,
	})
	if err != nil {
		return nil, nil, err
	}
	return opened.CiphertextForRecipient, opened.Plaintext, nil
}

func client(job Job) *kms.Client {
	dial := func(context.Context, string, string) (net.Conn, error) { return vsock.Dial(parent, proxy, nil) }
	return kms.New(kms.Options{
		Region:      job.Region,
		Credentials: credentials.NewStaticCredentialsProvider(job.AccessKeyID, job.SecretAccessKey, job.SessionToken),
		HTTPClient:  &http.Client{Transport: &http.Transport{DialContext: dial}},
	})
}

func attest(key *rsa.PrivateKey) ([]byte, error) {
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	session, err := nsm.OpenDefaultSession()
	if err != nil {
		return nil, err
	}
	defer session.Close()
	answer, err := session.Send(&request.Attestation{PublicKey: public})
	if err != nil {
		return nil, err
	}
	if answer.Attestation == nil {
		return nil, errors.New(string(answer.Error))
	}
	return answer.Attestation.Document, nil
}
