"""aiokafka: python aio.py HOST:PORT. Ends with an error where something is not as it should be."""
import asyncio
import sys
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

broker = {"bootstrap_servers": sys.argv[1]}


async def consume(topic, offset, count):
    consumer = AIOKafkaConsumer(**broker, enable_auto_commit=False, check_crcs=True)
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek(TopicPartition(topic, 0), offset)
    records = [await asyncio.wait_for(consumer.getone(), 20) for _ in range(count)]
    await consumer.stop()
    return records


async def administers_topics():
    admin = AIOKafkaAdminClient(**broker)
    await admin.start()
    await admin.create_topics([NewTopic("a-managed", 3, 1)])
    await admin.create_partitions({"a-managed": NewPartitions(4)})
    (topic,) = await admin.describe_topics(["a-managed"])
    assert len(topic["partitions"]) == 4, topic
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, "a-managed", {"retention.ms": "7200000"})])
    (described,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "a-managed")])
    assert "config_names='retention.ms', config_value='7200000'" in str(described), described
    await admin.delete_topics(["a-managed"])
    assert "a-managed" not in await admin.list_topics()
    await admin.close()


async def writes_with_every_codec_and_acks():
    for codec in (None, "gzip", "snappy", "lz4", "zstd"):
        for acks in (0, 1, "all"):
            topic = f"a-{codec}-{acks}"
            producer = AIOKafkaProducer(**broker, compression_type=codec, acks=acks, linger_ms=20)
            await producer.start()
            for i in range(20):
                await producer.send(topic, str(i).encode() * 200, str(i).encode(), 0, headers=[("h", b"v")])
            await producer.stop()
            records = [(one.offset, one.key, one.value, list(one.headers)) for one in await consume(topic, 0, 20)]
            assert records == [(i, str(i).encode(), str(i).encode() * 200, [("h", b"v")]) for i in range(20)], records[:2]


async def idempotent_and_offsets():
    producer = AIOKafkaProducer(**broker, enable_idempotence=True, max_batch_size=300)
    await producer.start()
    for i in range(500):
        await producer.send("a-once", str(i).encode(), partition=0, timestamp_ms=1_700_000_000_000 + i * 1000)
    await producer.stop()
    assert [int(record.value) for record in await consume("a-once", 0, 500)] == list(range(500))
    assert (await consume("a-once", 300, 1))[0].offset == 300
    consumer = AIOKafkaConsumer(**broker)
    await consumer.start()
    partition = TopicPartition("a-once", 0)
    assert await consumer.end_offsets([partition]) == {partition: 500}
    assert (await consumer.offsets_for_times({partition: 1_700_000_123_456}))[partition].offset == 124
    await consumer.stop()


async def main():
    for scenario in (administers_topics, writes_with_every_codec_and_acks, idempotent_and_offsets):
        await scenario()
        print("ok", scenario.__name__, flush=True)


asyncio.run(main())
