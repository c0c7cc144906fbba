package login

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// secret is one of AWS Secrets Manager.
type secret struct{ arn string }

// CheckARN checks the ARN of a secret.
func CheckARN(text string) error {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "secretsmanager" || a.Region == "" || !strings.HasPrefix(a.Resource, "secret:") {
		return errors.New("want the ARN of a secret, such as arn:aws:secretsmanager:eu-west-1:123456789012:secret:name-AbCdEf")
	}
	return nil
}

// read asks for the secret's current version, in the region that the ARN names. It
// takes the permission secretsmanager:GetSecretValue. Credentials and endpoints come
// from where the AWS SDK takes them.
func (s *secret) read(ctx context.Context) (string, error) {
	if err := CheckARN(s.arn); err != nil {
		return "", err
	}
	parsed, err := arn.Parse(s.arn)
	if err != nil {
		return "", err
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(parsed.Region))
	if err != nil {
		return "", fmt.Errorf("read the AWS configuration: %w", err)
	}
	value, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.arn})
	if err != nil {
		return "", err
	}
	if value.SecretString == nil {
		return string(value.SecretBinary), nil
	}
	return aws.ToString(value.SecretString), nil
}
