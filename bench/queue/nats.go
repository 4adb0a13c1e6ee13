// NATS JetStream, for bench/queue: a server and its load, in a process each.
// "nats serve FOLDER default|always" prints its URL; `always`: every write is on the disk before it is acknowledged.
// "nats fill URL STREAM RECORDS": a stream on disk with so many messages, and a durable pull consumer with explicit acknowledgement.
// "nats work URL STREAM WORKERS MESSAGES MILLISECONDS": takes MESSAGES in a call until the time is over or all are done, and prints
// what it measured as JSON.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	must(err)
	return value
}

func main() {
	switch os.Args[1] {
	case "serve":
		serve(os.Args[2], os.Args[3] == "always")
	case "fill":
		fill(os.Args[2], os.Args[3], number(os.Args[4]))
	case "work":
		work(os.Args[2], os.Args[3], number(os.Args[4]), number(os.Args[5]), time.Duration(number(os.Args[6]))*time.Millisecond)
	default:
		must(fmt.Errorf("no such command: %s", os.Args[1]))
	}
}

func serve(folder string, always bool) {
	running, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: folder, SyncAlways: always,
	})
	must(err)
	running.Start()
	if !running.ReadyForConnections(10 * time.Second) {
		must(errors.New("the server was not ready within 10 seconds"))
	}
	fmt.Println(running.ClientURL())
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	running.Shutdown()
}

const valueBytes = 1000

func fill(url, name string, records int) {
	ctx := context.Background()
	connection, err := nats.Connect(url)
	must(err)
	js, err := jetstream.New(connection, jetstream.WithPublishAsyncMaxPending(1000))
	must(err)
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{name}, Storage: jetstream.FileStorage})
	must(err)
	value := bytes.Repeat([]byte("v"), valueBytes)
	for range records {
		_, err := js.PublishAsync(name, value, jetstream.WithStallWait(10*time.Second))
		must(err)
	}
	<-js.PublishAsyncComplete()
	info, err := stream.Info(ctx)
	must(err)
	if info.State.Msgs != uint64(records) {
		must(fmt.Errorf("the stream has %d messages, not %d", info.State.Msgs, records))
	}
	// As a group of ours comes: 30 seconds of visibility, 2,000 in flight, a delivery limit of 5.
	_, err = stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: "workers", AckPolicy: jetstream.AckExplicitPolicy, AckWait: 30 * time.Second, MaxAckPending: 2000, MaxDeliver: 5,
	})
	must(err)
}

func work(url, name string, workers, messages int, duration time.Duration) {
	var mutex sync.Mutex
	var latencies []float64
	var last time.Time
	counted := 0
	begun := time.Now()
	warm := begun.Add(duration / 4)
	until := warm.Add(duration)
	var all sync.WaitGroup
	for range workers {
		// A connection each, as workers in processes of their own have.
		own, err := nats.Connect(url)
		must(err)
		ownJs, err := jetstream.New(own)
		must(err)
		consumer, err := ownJs.Consumer(context.Background(), name, "workers")
		must(err)
		take := taker(consumer, messages)
		all.Go(func() {
			for time.Now().Before(until) {
				asked := time.Now()
				done := take()
				if done == 0 {
					return
				}
				now := time.Now()
				if asked.Before(warm) || now.After(until) {
					continue
				}
				mutex.Lock()
				counted += done
				latencies = append(latencies, float64(now.Sub(asked).Microseconds())/1000)
				last = now
				mutex.Unlock()
			}
		})
	}
	all.Wait()
	if counted == 0 {
		must(errors.New("nothing was counted: too few messages for so short a time"))
	}
	slices.Sort(latencies)
	at := func(share float64) float64 {
		return latencies[min(len(latencies)-1, int(float64(len(latencies))*share))]
	}
	perSecond := float64(counted) / last.Sub(warm).Seconds()
	must(json.NewEncoder(os.Stdout).Encode(map[string]float64{"perSecond": perSecond, "p50Ms": at(0.5), "p99Ms": at(0.99)}))
}

// taker takes and acknowledges: how many it did, 0 where nothing came. One message: the acknowledgement is waited for. Many: each is acknowledged, as
// there is no call for many, and the answer to the last is waited for.
func taker(consumer jetstream.Consumer, messages int) func() int {
	const patience = 500 * time.Millisecond
	if messages == 1 {
		one, err := consumer.Messages(jetstream.PullMaxMessages(1), jetstream.PullExpiry(time.Second))
		must(err)
		return func() int {
			message, err := one.Next(jetstream.NextMaxWait(patience))
			if errors.Is(err, nats.ErrTimeout) {
				return 0
			}
			must(err)
			must(message.DoubleAck(context.Background()))
			return 1
		}
	}
	return func() int {
		batch, err := consumer.Fetch(messages, jetstream.FetchMaxWait(patience))
		must(err)
		done := 0
		var previous jetstream.Msg
		for message := range batch.Messages() {
			if previous != nil {
				must(previous.Ack())
			}
			previous = message
			done++
		}
		must(batch.Error())
		if previous != nil {
			must(previous.DoubleAck(context.Background()))
		}
		return done
	}
}
