"""kafka-python: python kafka_python.py HOST:PORT. Ends with an error where something is not as it should be."""
import sys
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
from kafka.errors import TopicAlreadyExistsError

broker = {"bootstrap_servers": sys.argv[1]}


def consumer_of(topic, offset):
    consumer = KafkaConsumer(**broker, consumer_timeout_ms=20_000, check_crcs=True, enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek(TopicPartition(topic, 0), offset)
    return consumer


def consume(topic, offset, count):
    consumer = consumer_of(topic, offset)
    records = []
    for record in consumer:
        records.append(record)
        if len(records) == count:
            break
    consumer.close()
    assert len(records) == count, f"{topic}: {len(records)} of {count} came"
    return records


def administers_topics():
    admin = KafkaAdminClient(**broker)
    admin.create_topics([NewTopic("k-managed", 3, 1, topic_configs={"retention.ms": "3600000"})])
    try:
        admin.create_topics([NewTopic("k-managed", 3, 1)])
        raise AssertionError("it was made twice")
    except TopicAlreadyExistsError:
        pass
    admin.create_partitions({"k-managed": NewPartitions(4)})
    (topic,) = admin.describe_topics(["k-managed"])
    assert len(topic["partitions"]) == 4, topic
    assert "3600000" in str(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "k-managed")]))
    admin.delete_topics(["k-managed"])
    assert "k-managed" not in admin.list_topics()
    admin.close()


def writes_with_every_codec_and_acks():
    for codec in (None, "gzip", "snappy", "lz4", "zstd"):
        for acks in (0, 1, "all"):
            topic = f"k-{codec}-{acks}"
            producer = KafkaProducer(**broker, compression_type=codec, acks=acks, linger_ms=20, enable_idempotence=False)
            futures = [producer.send(topic, str(i).encode() * 200, str(i).encode(), [("h", b"v")], 0) for i in range(20)]
            for future in futures:
                future.get(20)
            producer.close()
            records = [(one.offset, one.key, one.value, one.headers) for one in consume(topic, 0, 20)]
            assert records == [(i, str(i).encode(), str(i).encode() * 200, [("h", b"v")]) for i in range(20)], records[:2]


def idempotent_and_offsets():
    producer = KafkaProducer(**broker, enable_idempotence=True, batch_size=200)
    for i in range(500):
        producer.send("k-once", str(i).encode(), partition=0, timestamp_ms=1_700_000_000_000 + i * 1000)
    producer.flush(20)
    producer.close()
    assert [int(record.value) for record in consume("k-once", 0, 500)] == list(range(500))
    consumer = consumer_of("k-once", 300)
    assert next(consumer).offset == 300
    partition = TopicPartition("k-once", 0)
    assert consumer.beginning_offsets([partition]) == {partition: 0}
    assert consumer.end_offsets([partition]) == {partition: 500}
    assert consumer.offsets_for_times({partition: 1_700_000_123_456})[partition].offset == 124
    consumer.close()


for scenario in (administers_topics, writes_with_every_codec_and_acks, idempotent_and_offsets):
    scenario()
    print("ok", scenario.__name__, flush=True)
