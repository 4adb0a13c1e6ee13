// Kafka's own producer and consumer: java -cp ... Transactions.java HOST:PORT PREFIX. Topics and scenarios are those of
// transactions.py. Ends with an error where something is not as it should be.
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Transactions {
    private static String broker;
    private static String prefix;

    private static KafkaProducer<String, String> producer(String name) {
        var made = new KafkaProducer<>(Map.<String, Object>of("bootstrap.servers", broker, "transactional.id", prefix + "-" + name),
            new StringSerializer(), new StringSerializer());
        made.initTransactions();
        return made;
    }

    private static KafkaConsumer<String, String> member(String group, String topic, String isolation, String protocol) {
        var made = new KafkaConsumer<>(Map.<String, Object>of(
            "bootstrap.servers", broker, "group.id", group, "group.protocol", protocol, "auto.offset.reset", "earliest",
            "enable.auto.commit", false, "isolation.level", isolation, "fetch.max.wait.ms", 100, "max.poll.records", 5),
            new StringDeserializer(), new StringDeserializer());
        made.subscribe(List.of(topic));
        return made;
    }

    private static void write(KafkaProducer<String, String> producer, String topic, Object... values) {
        for (int i = 0; i < values.length; i += 2)
            producer.send(new ProducerRecord<>(topic, (Integer) values[i], null, (String) values[i + 1]));
        // It may leave out what it has not sent when it is to abort.
        producer.flush();
    }

    /** All up to the "end" of both partitions. */
    private static List<String> values(String topic, String isolation) {
        var seen = new ArrayList<String>();
        try (var member = member(topic + "-" + isolation, topic, isolation, "classic")) {
            while (Collections.frequency(seen, "end") < 2)
                for (var record : member.poll(Duration.ofMillis(200))) seen.add(record.value());
        }
        seen.removeAll(Set.of("end"));
        Collections.sort(seen);
        return seen;
    }

    private static void check(Object found, Object wanted) {
        if (!found.equals(wanted)) throw new AssertionError(found + ", not " + wanted);
    }

    private static void commitsAndAborts() {
        var topic = prefix + "-commits";
        try (var producer = producer("commits")) {
            producer.beginTransaction();
            write(producer, topic, 0, "a0", 1, "a1");
            producer.commitTransaction();
            producer.beginTransaction();
            write(producer, topic, 0, "never");
            producer.abortTransaction();
            producer.beginTransaction();
            write(producer, topic, 0, "b", 0, "end", 1, "end");
            producer.commitTransaction();
        }
        check(values(topic, "read_committed"), List.of("a0", "a1", "b"));
        check(values(topic, "read_uncommitted"), List.of("a0", "a1", "b", "never"));
    }

    private static void consumesTransformsProduces(String protocol) {
        var source = prefix + "-in";
        var target = prefix + "-out-" + protocol;
        var group = prefix + "-" + protocol;
        var partitions = List.of(new TopicPartition(source, 0), new TopicPartition(source, 1));
        try (var producer = producer(target); var member = member(group, source, "read_committed", protocol)) {
            var done = 0;
            var aborted = false;
            while (done < 20) {
                var records = member.poll(Duration.ofMillis(200));
                if (records.isEmpty()) continue;
                producer.beginTransaction();
                var offsets = new HashMap<TopicPartition, OffsetAndMetadata>();
                for (ConsumerRecord<String, String> record : records) {
                    producer.send(new ProducerRecord<>(target, record.partition(), null, "x" + record.value()));
                    offsets.put(new TopicPartition(source, record.partition()), new OffsetAndMetadata(record.offset() + 1));
                }
                producer.sendOffsetsToTransaction(offsets, member.groupMetadata());
                if (done > 0 && !aborted) {
                    producer.abortTransaction();
                    aborted = true;
                    for (var partition : records.partitions()) member.seek(partition, records.records(partition).get(0).offset());
                    continue;
                }
                producer.commitTransaction();
                done += records.count();
            }
            check(aborted, true);
            producer.beginTransaction();
            write(producer, target, 0, "end", 1, "end");
            producer.commitTransaction();
            var committed = member.committed(Set.copyOf(partitions));
            check(partitions.stream().map(one -> committed.get(one).offset()).toList(), List.of(10L, 10L));
        }
        check(values(target, "read_committed"), IntStream.range(0, 20).mapToObj(i -> "x" + i).sorted().toList());
    }

    private static void fences() {
        var topic = prefix + "-fenced";
        var zombie = producer("fenced");
        zombie.beginTransaction();
        write(zombie, topic, 0, "never");
        try (var heir = producer("fenced")) {
            heir.beginTransaction();
            write(heir, topic, 0, "kept", 0, "end", 1, "end");
            try {
                zombie.commitTransaction();
                throw new AssertionError("it was committed");
            } catch (ProducerFencedException | InvalidProducerEpochException fenced) {
                zombie.close(Duration.ZERO);
            }
            heir.commitTransaction();
        }
        check(values(topic, "read_committed"), List.of("kept"));
    }

    public static void main(String[] args) {
        broker = args[0];
        prefix = args[1];
        commitsAndAborts();
        System.out.println("ok commits_and_aborts");
        consumesTransformsProduces("classic");
        consumesTransformsProduces("consumer");
        System.out.println("ok consumes_transforms_produces");
        fences();
        System.out.println("ok fences");
    }
}
