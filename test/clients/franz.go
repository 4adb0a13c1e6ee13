// franz-go: franz HOST:PORT. Ends with an error where something is not as it should be.
// With GROUP TOPIC behind it: a member of a group, as member.py. With GROUP TOPIC RECORDS WORKERS: as ShareWorker.java.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
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

func main() {
	if len(os.Args) > 4 {
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
