package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Who a client is, and how it says so.
type identity struct{ mechanism, user, token string }

func (who identity) option() kgo.Opt {
	var chosen sasl.Mechanism
	switch proof := (scram.Auth{User: who.user, Pass: who.token}); who.mechanism {
	case "PLAIN":
		chosen = plain.Auth{User: who.user, Pass: who.token}.AsMechanism()
	case "SCRAM-SHA-256":
		chosen = proof.AsSha256Mechanism()
	default:
		chosen = proof.AsSha512Mechanism()
	}
	return kgo.SASL(chosen)
}

func (who identity) write(ctx context.Context, topic string, value string) error {
	producer := client(who.option(), kgo.RecordRetries(1), kgo.RequestRetries(1))
	defer producer.Close()
	return producer.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr()
}

func (who identity) read(ctx context.Context, topic string, group string) (string, error) {
	reader := client(who.option(), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer reader.Close()
	for {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return "", err
		}
		if records := fetches.Records(); len(records) > 0 {
			return string(records[0].Value), reader.CommitRecords(ctx, records...)
		}
	}
}

// The scenarios of sasl.py.
func saslScenarios(mechanism string, prefix string, user string, token string, wrong string) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	tell := func(what string, said string, err error) bool {
		var known *kerr.Error
		if errors.As(err, &known) {
			said = known.Message
		} else if err != nil {
			said = err.Error()
		}
		fmt.Println(what+":", said)
		return err == nil
	}
	who := identity{mechanism, user, token}
	err := who.write(ctx, prefix+"-open", "value")
	said := ""
	if err == nil {
		said, err = who.read(ctx, prefix+"-open", prefix+"-open")
	}
	if !tell("the token", said, err) {
		return
	}
	tell("a wrong token", "wrote", identity{mechanism, user, wrong}.write(ctx, prefix+"-open", "never"))
	tell("no right to write", "wrote", who.write(ctx, prefix+"-read", "never"))
	said, err = who.read(ctx, prefix+"-write", prefix+"-open")
	tell("no right to read", said, err)
	said, err = who.read(ctx, prefix+"-open", prefix+"-shut")
	tell("no right to the group", said, err)
}
