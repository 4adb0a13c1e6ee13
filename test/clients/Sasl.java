import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The scenarios of sasl.py, by Kafka's own clients: java Sasl.java HOST:PORT MECHANISM PREFIX USER TOKEN WRONG. */
public class Sasl {
    static String broker, mechanism, prefix, user;

    static Map<String, Object> settings(String token, Map<String, Object> more) {
        var module = mechanism.equals("PLAIN") ? "plain.PlainLoginModule" : "scram.ScramLoginModule";
        var settings = new java.util.HashMap<String, Object>(more);
        settings.put("bootstrap.servers", broker);
        settings.put("security.protocol", "SASL_PLAINTEXT");
        settings.put("sasl.mechanism", mechanism);
        settings.put("sasl.jaas.config", "org.apache.kafka.common.security." + module + " required username=\"" + user
            + "\" password=\"" + token + "\";");
        return settings;
    }

    static String write(String topic, String value, String token) throws Exception {
        var settings = settings(token, Map.of());
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            producer.send(new ProducerRecord<>(topic, value)).get();
            return "wrote";
        }
    }

    static String read(String topic, String group, String token) {
        var settings = settings(token, Map.of("group.id", group, "auto.offset.reset", "earliest", "enable.auto.commit", false));
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(topic));
            for (var deadline = System.nanoTime() + 20_000_000_000L; System.nanoTime() < deadline; ) {
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    consumer.commitSync();
                    return record.value();
                }
            }
            return "nothing came";
        }
    }

    static boolean attempt(String what, Callable<String> action) {
        String said;
        boolean done = false;
        try {
            said = action.call();
            done = true;
        } catch (ExecutionException failed) {
            said = failed.getCause().getClass().getSimpleName();
        } catch (Exception failed) {
            said = failed.getClass().getSimpleName();
        }
        System.out.println(what + ": " + said);
        return done;
    }

    public static void main(String[] args) {
        broker = args[0];
        mechanism = args[1];
        prefix = args[2];
        user = args[3];
        String token = args[4], wrong = args[5], open = prefix + "-open";
        var isKnown = attempt("the token", () -> {
            write(open, "value", token);
            return read(open, open, token);
        });
        if (!isKnown) return;
        attempt("a wrong token", () -> write(open, "never", wrong));
        attempt("no right to write", () -> write(prefix + "-read", "never", token));
        attempt("no right to read", () -> read(prefix + "-write", open, token));
        attempt("no right to the group", () -> read(open, prefix + "-shut", token));
    }
}
