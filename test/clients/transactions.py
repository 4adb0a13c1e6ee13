"""Transactions: python transactions.py LIBRARY HOST:PORT PREFIX. The topics PREFIX-commits, -in, -out and -fenced have two partitions
each, and 20 records are in PREFIX-in. Ends with an error where something is not as it should be."""
import asyncio
import sys

library, broker, prefix = sys.argv[1:]


class Confluent:
    """A producer of a transactional id, and what else of the library the scenarios need."""

    def __init__(self, name):
        from confluent_kafka import Producer

        self.producer = Producer({"bootstrap.servers": broker, "transactional.id": f"{prefix}-{name}"})
        self.producer.init_transactions(20)
        self.begin = self.producer.begin_transaction
        self.commit = self.producer.commit_transaction
        self.abort = self.producer.abort_transaction

    def send(self, topic, partition, value):
        self.producer.produce(topic, value, partition=partition)

    def flush(self):
        assert self.producer.flush(20) == 0

    def send_offsets(self, member, topic, offsets):
        from confluent_kafka import TopicPartition

        offsets = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        self.producer.send_offsets_to_transaction(offsets, member.consumer_group_metadata(), 20)

    def close(self):
        pass

    @staticmethod
    def is_fenced(error):
        return error.args[0].name() in ("_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH")

    @staticmethod
    def member(group, topic, isolation):
        from confluent_kafka import Consumer

        consumer = Consumer({
            "bootstrap.servers": broker, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
            "isolation.level": isolation, "fetch.wait.max.ms": 100,
        })
        consumer.subscribe([topic])
        return consumer

    @staticmethod
    def poll(member):
        return [(one.partition(), one.offset(), one.value().decode()) for one in member.consume(5, 0.2) if not one.error()]

    @staticmethod
    def seek(member, topic, partition, offset):
        from confluent_kafka import TopicPartition

        member.seek(TopicPartition(topic, partition, offset))

    @staticmethod
    def committed(member, topic):
        from confluent_kafka import TopicPartition

        return [one.offset for one in member.committed([TopicPartition(topic, p) for p in (0, 1)], 20)]

    @staticmethod
    def leave(member):
        member.close()


class KafkaPython:
    def __init__(self, name):
        from kafka import KafkaProducer

        self.producer = KafkaProducer(bootstrap_servers=broker, transactional_id=f"{prefix}-{name}")
        self.producer.init_transactions()
        self.begin = self.producer.begin_transaction
        self.commit = self.producer.commit_transaction
        self.abort = self.producer.abort_transaction

    def send(self, topic, partition, value):
        self.producer.send(topic, value.encode(), partition=partition)

    def flush(self):
        self.producer.flush(20)

    def send_offsets(self, member, topic, offsets):
        from kafka import TopicPartition
        from kafka.structs import OffsetAndMetadata

        offsets = {TopicPartition(topic, partition): OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}
        self.producer.send_offsets_to_transaction(offsets, member.group_metadata())

    def close(self):
        self.producer.close(5)

    @staticmethod
    def is_fenced(error):
        return type(error).__name__ in ("ProducerFencedError", "InvalidProducerEpochError")

    @staticmethod
    def member(group, topic, isolation):
        from kafka import KafkaConsumer

        consumer = KafkaConsumer(
            bootstrap_servers=broker, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
            isolation_level=isolation, fetch_max_wait_ms=100,
        )
        consumer.subscribe([topic])
        return consumer

    @staticmethod
    def poll(member):
        return [(one.partition, one.offset, one.value.decode()) for all in member.poll(200, 5).values() for one in all]

    @staticmethod
    def seek(member, topic, partition, offset):
        from kafka import TopicPartition

        member.seek(TopicPartition(topic, partition), offset)

    @staticmethod
    def committed(member, topic):
        from kafka import TopicPartition

        return [member.committed(TopicPartition(topic, p)) for p in (0, 1)]

    @staticmethod
    def leave(member):
        member.close(autocommit=False)


class Aio:
    loop = asyncio.new_event_loop()

    def __init__(self, name):
        from aiokafka import AIOKafkaProducer

        async def start():
            producer = AIOKafkaProducer(bootstrap_servers=broker, transactional_id=f"{prefix}-{name}")
            await producer.start()
            return producer

        self.producer = self.run(start())

    @classmethod
    def run(cls, task):
        return cls.loop.run_until_complete(task)

    def begin(self):
        self.run(self.producer.begin_transaction())

    def commit(self):
        self.run(self.producer.commit_transaction())

    def abort(self):
        self.run(self.producer.abort_transaction())

    def send(self, topic, partition, value):
        self.run(self.producer.send(topic, value.encode(), partition=partition))

    def flush(self):
        self.run(self.producer.flush())

    def send_offsets(self, member, topic, offsets):
        from aiokafka import TopicPartition

        offsets = {TopicPartition(topic, partition): offset for partition, offset in offsets.items()}
        self.run(self.producer.send_offsets_to_transaction(offsets, member._group_id))

    def close(self):
        self.run(self.producer.stop())

    @staticmethod
    def is_fenced(error):
        return type(error).__name__ in ("ProducerFenced", "InvalidProducerEpoch")

    @classmethod
    def member(cls, group, topic, isolation):
        from aiokafka import AIOKafkaConsumer

        async def start():
            consumer = AIOKafkaConsumer(
                topic, bootstrap_servers=broker, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
                isolation_level=isolation, fetch_max_wait_ms=100,
            )
            await consumer.start()
            return consumer

        return cls.run(start())

    @classmethod
    def poll(cls, member):
        found = cls.run(member.getmany(timeout_ms=200, max_records=5))
        return [(one.partition, one.offset, one.value.decode()) for all in found.values() for one in all]

    @staticmethod
    def seek(member, topic, partition, offset):
        from aiokafka import TopicPartition

        member.seek(TopicPartition(topic, partition), offset)

    @classmethod
    def committed(cls, member, topic):
        from aiokafka import TopicPartition

        return [cls.run(member.committed(TopicPartition(topic, p))) for p in (0, 1)]

    @classmethod
    def leave(cls, member):
        cls.run(member.stop())


Library = {"confluent-kafka": Confluent, "kafka-python": KafkaPython, "aiokafka": Aio}[library]


def write(producer, topic, *values):
    for partition, value in values:
        producer.send(topic, partition, value)
    # It may leave out what it has not sent when it is to abort.
    producer.flush()


def values(topic, isolation="read_committed"):
    """All up to the "end" of both partitions."""
    member = Library.member(f"{topic}-{isolation}", topic, isolation)
    seen = []
    while seen.count("end") < 2:
        seen += [value for _, _, value in Library.poll(member)]
    Library.leave(member)
    return sorted(value for value in seen if value != "end")


def commits_and_aborts():
    topic = f"{prefix}-commits"
    producer = Library("commits")
    producer.begin()
    write(producer, topic, (0, "a0"), (1, "a1"))
    producer.commit()
    producer.begin()
    write(producer, topic, (0, "never"))
    producer.abort()
    producer.begin()
    write(producer, topic, (0, "b"), (0, "end"), (1, "end"))
    producer.commit()
    producer.close()
    assert values(topic) == ["a0", "a1", "b"]
    assert values(topic, "read_uncommitted") == ["a0", "a1", "b", "never"]


def consumes_transforms_produces():
    source, target = f"{prefix}-in", f"{prefix}-out"
    producer = Library("out")
    member = Library.member(f"{prefix}-group", source, "read_committed")
    done = []
    aborted = False
    while len(done) < 20:
        records = Library.poll(member)
        if not records:
            continue
        producer.begin()
        for partition, _, value in records:
            producer.send(target, partition, f"x{value}")
        producer.send_offsets(member, source, {partition: offset + 1 for partition, offset, _ in records})
        if done and not aborted:
            producer.abort()
            aborted = True
            for partition, offset, _ in reversed(records):
                Library.seek(member, source, partition, offset)
            continue
        producer.commit()
        done += records
    producer.begin()
    write(producer, target, (0, "end"), (1, "end"))
    producer.commit()
    producer.close()
    assert aborted
    assert Library.committed(member, source) == [10, 10]
    Library.leave(member)
    assert values(target) == sorted(f"x{i}" for i in range(20))


def fences():
    topic = f"{prefix}-fenced"
    zombie = Library("fenced")
    zombie.begin()
    write(zombie, topic, (0, "never"))
    heir = Library("fenced")
    heir.begin()
    write(heir, topic, (0, "kept"), (0, "end"), (1, "end"))
    try:
        zombie.commit()
        raise AssertionError("it was committed")
    except AssertionError:
        raise
    except Exception as error:
        assert Library.is_fenced(error), repr(error)
    heir.commit()
    heir.close()
    assert values(topic) == ["kept"]


for scenario in (commits_and_aborts, consumes_transforms_produces, fences):
    scenario()
    print("ok", scenario.__name__, flush=True)
