// franz-go: franz HOST:PORT. Ends with an error where something is not as it should be.
// With GROUP TOPIC behind it: a member of a group, as member.py. With GROUP TOPIC RECORDS WORKERS: as ShareWorker.java.
// With "transactions" PREFIX: the scenarios of transactions.py. With "sasl" and what sasl.py takes: its scenarios.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var broker = os.Args[1]

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func check(ok bool, what string, values ...any) {
	if !ok {
		panic(fmt.Sprintf(what, values...))
	}
}

func client(options ...kgo.Opt) *kgo.Client {
	made, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(broker), kgo.AllowAutoTopicCreation()}, options...)...)
	must(err)
	return made
}

func consume(ctx context.Context, topic string, offset int64, count int) []*kgo.Record {
	at := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(offset)}}
	reader := client(kgo.ConsumePartitions(at))
	defer reader.Close()
	var records []*kgo.Record
	for len(records) < count {
		fetches := reader.PollFetches(ctx)
		must(fetches.Err())
		records = append(records, fetches.Records()...)
	}
	return records
}

func administersTopics(ctx context.Context) {
	admin := kadm.NewClient(client())
	defer admin.Close()
	hour := "3600000"
	_, err := admin.CreateTopic(ctx, 3, 1, map[string]*string{"retention.ms": &hour}, "f-managed")
	must(err)
	_, err = admin.CreateTopic(ctx, 3, 1, nil, "f-managed")
	check(err != nil, "it was made twice")
	grown, err := admin.UpdatePartitions(ctx, 4, "f-managed")
	must(err)
	must(grown.Error())
	topics, err := admin.ListTopics(ctx, "f-managed")
	must(err)
	check(len(topics["f-managed"].Partitions) == 4, "%v", topics)
	configs, err := admin.DescribeTopicConfigs(ctx, "f-managed")
	must(err)
	found := false
	for _, config := range configs[0].Configs {
		found = found || config.Key == "retention.ms" && *config.Value == hour
	}
	check(found, "retention.ms is not what was set")
	_, err = admin.DeleteTopics(ctx, "f-managed")
	must(err)
}

func writesWithEveryCodecAndAcks(ctx context.Context) {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	allAcks := map[string]kgo.Acks{"0": kgo.NoAck(), "1": kgo.LeaderAck(), "all": kgo.AllISRAcks()}
	for codecName, codec := range codecs {
		for acksName, acks := range allAcks {
			topic := "f-" + codecName + "-" + acksName
			producer := client(kgo.ProducerBatchCompression(codec), kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite(),
				kgo.MaxProduceRequestsInflightPerBroker(1), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			for i := range 20 {
				value := []byte(fmt.Sprintf("%0200d", i))
				producer.Produce(ctx, &kgo.Record{Topic: topic, Key: []byte{byte(i)}, Value: value}, func(_ *kgo.Record, err error) { must(err) })
			}
			must(producer.Flush(ctx))
			producer.Close()
			for i, record := range consume(ctx, topic, 0, 20) {
				check(record.Offset == int64(i) && record.Key[0] == byte(i) && string(record.Value) == fmt.Sprintf("%0200d", i), "%s: %v", topic, record)
			}
		}
	}
}

func idempotentAndOffsets(ctx context.Context) {
	start := time.UnixMilli(1_700_000_000_000)
	producer := client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(1024), kgo.ProducerLinger(0))
	for i := range 500 {
		record := &kgo.Record{Topic: "f-once", Value: []byte(fmt.Sprint(i)), Timestamp: start.Add(time.Duration(i) * time.Second)}
		producer.Produce(ctx, record, func(_ *kgo.Record, err error) { must(err) })
	}
	must(producer.Flush(ctx))
	producer.Close()
	records := consume(ctx, "f-once", 0, 500)
	check(len(records) == 500, "%d records", len(records))
	for i, record := range records {
		check(string(record.Value) == fmt.Sprint(i), "%v at %d", record, i)
	}
	check(consume(ctx, "f-once", 300, 1)[0].Offset == 300, "it began elsewhere")
	admin := kadm.NewClient(client())
	defer admin.Close()
	ends, err := admin.ListEndOffsets(ctx, "f-once")
	must(err)
	end, _ := ends.Lookup("f-once", 0)
	check(end.Offset == 500, "%v", end)
	after, err := admin.ListOffsetsAfterMilli(ctx, start.UnixMilli()+123_456, "f-once")
	must(err)
	found, _ := after.Lookup("f-once", 0)
	check(found.Offset == 124, "%v", found)
}

func member(group string, topic string) {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	reader := client(
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(time.Second),
	)
	for ctx.Err() == nil {
		fetches := reader.PollRecords(ctx, 1)
		for _, record := range fetches.Records() {
			fmt.Println(record.Partition, record.Offset, string(record.Value))
			if err := reader.CommitRecords(ctx, record); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}
	reader.LeaveGroup()
	reader.Close()
}

// A worker of a share group, as one of ShareWorker.java.
func shareWork(name string, group string, topic string, records int, begun *sync.WaitGroup, finished *sync.Map) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	worker := client(kgo.ShareGroup(group), kgo.ConsumeTopics(topic), kgo.ClientID(name), kgo.ShareMaxRecords(10), kgo.ShareMaxRecordsStrict())
	defer worker.Close()
	count := func() (all int) {
		finished.Range(func(_, _ any) bool { all++; return true })
		return all
	}
	first := true
	for count() < records {
		check(ctx.Err() == nil, "finished: %v", count())
		polling, stop := context.WithTimeout(ctx, 500*time.Millisecond)
		got := worker.PollFetches(polling).Records()
		stop()
		if first && len(got) > 0 {
			first = false
			begun.Done()
			begun.Wait()
		}
		for _, record := range got {
			value := string(record.Value)
			status, word := kgo.AckAccept, "accept"
			if strings.HasPrefix(value, "release") && record.DeliveryCount() == 1 {
				status, word = kgo.AckRelease, "release"
			} else if strings.HasPrefix(value, "reject") {
				status, word = kgo.AckReject, "reject"
			} else if strings.HasPrefix(value, "renew") {
				record.Ack(kgo.AckRenew)
				must(worker.FlushAcks(ctx))
				fmt.Println(name, record.Offset, record.DeliveryCount(), value, "renew")
			}
			record.Ack(status)
			fmt.Println(name, record.Offset, record.DeliveryCount(), value, word)
			if status != kgo.AckRelease {
				finished.Store(record.Offset, true)
			}
		}
		must(worker.FlushAcks(ctx))
	}
}

func shareWorkers(group string, topic string, records string, workers string) {
	total, err := strconv.Atoi(records)
	must(err)
	count, err := strconv.Atoi(workers)
	must(err)
	var begun, done sync.WaitGroup
	var finished sync.Map
	begun.Add(count)
	for i := range count {
		done.Add(1)
		go func() {
			defer done.Done()
			shareWork(fmt.Sprintf("worker-%d", i), group, topic, total, &begun, &finished)
		}()
	}
	done.Wait()
}

// values reads all up to the "end" of both partitions.
func values(ctx context.Context, topic string, isolation kgo.IsolationLevel) []string {
	reader := client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(isolation), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer reader.Close()
	var seen []string
	for ends := 0; ends < 2; {
		fetches := reader.PollFetches(ctx)
		must(fetches.Err())
		for _, record := range fetches.Records() {
			if string(record.Value) == "end" {
				ends++
			} else {
				seen = append(seen, string(record.Value))
			}
		}
	}
	slices.Sort(seen)
	return seen
}

func write(ctx context.Context, producer *kgo.Client, topic string, values ...string) {
	var records []*kgo.Record
	for _, value := range values {
		records = append(records, &kgo.Record{Topic: topic, Partition: int32(value[0] - '0'), Value: []byte(value[1:])})
	}
	must(producer.ProduceSync(ctx, records...).FirstErr())
}

func transactional(id string, options ...kgo.Opt) []kgo.Opt {
	return append(options, kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
}

func commitsAndAborts(ctx context.Context, topic string) {
	producer := client(transactional(topic)...)
	defer producer.Close()
	must(producer.BeginTransaction())
	write(ctx, producer, topic, "0a0", "1a1")
	must(producer.EndTransaction(ctx, kgo.TryCommit))
	must(producer.BeginTransaction())
	write(ctx, producer, topic, "0never")
	must(producer.EndTransaction(ctx, kgo.TryAbort))
	must(producer.BeginTransaction())
	write(ctx, producer, topic, "0b", "0end", "1end")
	must(producer.EndTransaction(ctx, kgo.TryCommit))
	committed := values(ctx, topic, kgo.ReadCommitted())
	check(slices.Equal(committed, []string{"a0", "a1", "b"}), "%v", committed)
	all := values(ctx, topic, kgo.ReadUncommitted())
	check(slices.Equal(all, []string{"a0", "a1", "b", "never"}), "%v", all)
}

func consumesTransformsProduces(ctx context.Context, source string, target string, group string) {
	options := transactional(target, kgo.SeedBrokers(broker), kgo.ConsumerGroup(group), kgo.ConsumeTopics(source),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(100*time.Millisecond), kgo.RequireStableFetchOffsets())
	session, err := kgo.NewGroupTransactSession(options...)
	must(err)
	done, aborted := 0, false
	for done < 20 {
		records := session.PollRecords(ctx, 5).Records()
		must(session.Begin())
		for _, record := range records {
			must(session.ProduceSync(ctx, &kgo.Record{Topic: target, Partition: record.Partition, Value: append([]byte("x"), record.Value...)}).FirstErr())
		}
		// What it aborts, it reads again of itself.
		abort := done > 0 && !aborted
		committed, err := session.End(ctx, kgo.TransactionEndTry(!abort))
		must(err)
		check(committed != abort, "it was to abort: %v, and committed: %v", abort, committed)
		if abort {
			aborted = true
		} else {
			done += len(records)
		}
	}
	must(session.Begin())
	write(ctx, session.Client(), target, "0end", "1end")
	_, err = session.End(ctx, kgo.TryCommit)
	must(err)
	session.Close()
	admin := kadm.NewClient(client())
	defer admin.Close()
	offsets, err := admin.FetchOffsets(ctx, group)
	must(err)
	for partition := range int32(2) {
		found, _ := offsets.Lookup(source, partition)
		check(found.At == 10, "%v", found)
	}
	var wanted []string
	for i := range 20 {
		wanted = append(wanted, fmt.Sprintf("x%d", i))
	}
	slices.Sort(wanted)
	seen := values(ctx, target, kgo.ReadCommitted())
	check(slices.Equal(seen, wanted), "%v", seen)
}

func fences(ctx context.Context, topic string) {
	zombie, heir := client(transactional(topic)...), client(transactional(topic)...)
	must(zombie.BeginTransaction())
	write(ctx, zombie, topic, "0never")
	must(heir.BeginTransaction())
	write(ctx, heir, topic, "0kept", "0end", "1end")
	err := zombie.EndTransaction(ctx, kgo.TryCommit)
	check(errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch), "%v", err)
	must(heir.EndTransaction(ctx, kgo.TryCommit))
	zombie.Close()
	heir.Close()
	seen := values(ctx, topic, kgo.ReadCommitted())
	check(slices.Equal(seen, []string{"kept"}), "%v", seen)
}

func transactions(prefix string) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	commitsAndAborts(ctx, prefix+"-commits")
	fmt.Println("ok commits_and_aborts")
	consumesTransformsProduces(ctx, prefix+"-in", prefix+"-out", prefix+"-group")
	fmt.Println("ok consumes_transforms_produces")
	fences(ctx, prefix+"-fenced")
	fmt.Println("ok fences")
}

func main() {
	if len(os.Args) > 2 && os.Args[2] == "sasl" {
		saslScenarios(os.Args[3], os.Args[4], os.Args[5], os.Args[6], os.Args[7])
		return
	}
	if len(os.Args) > 2 && os.Args[2] == "transactions" {
		transactions(os.Args[3])
		return
	}
	if len(os.Args) > 5 {
		shareWorkers(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
		return
	}
	if len(os.Args) > 2 {
		member(os.Args[2], os.Args[3])
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	administersTopics(ctx)
	fmt.Println("ok administers_topics")
	writesWithEveryCodecAndAcks(ctx)
	fmt.Println("ok writes_with_every_codec_and_acks")
	idempotentAndOffsets(ctx)
	fmt.Println("ok idempotent_and_offsets")
}
