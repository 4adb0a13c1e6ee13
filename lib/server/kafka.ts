/** The listener for Kafka clients, as the server's settings want it. */
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { BrokerlessError } from "../base/errors.ts";
import type { Clock, Metrics } from "../ports/index.ts";
import type { KafkaApi } from "../wire/index.ts";
import { kafkaService } from "../wire/service.ts";
import { type Listener, listenTcp } from "../wire/tcp/listener.ts";
import type { Address } from "./address.ts";
import type { ServerConfig } from "./config.ts";
import { cannotListen } from "./listen.ts";

/** Resolves when it listens. Throws `invalid_config` when it cannot, or cannot read the key and the certificate. */
export async function listenKafka(
  address: Address,
  config: ServerConfig,
  parts: { readonly api: KafkaApi; readonly clock: Clock; readonly metrics: Metrics; readonly asks: boolean },
): Promise<Listener> {
  const { api, clock, metrics, asks } = parts;
  const tls = await tlsOf(config);
  try {
    return await listenTcp({
      ...address,
      service: kafkaService(api, config.advertise, asks),
      clock,
      metrics,
      tls,
      limits: {
        frameBytes: config.maxBodyBytes,
        inFlightBytes: config.maxInFlightBytes,
        idleMs: config.kafkaIdleTimeoutMs,
      },
    });
  } catch (error) {
    throw cannotListen(address, error as NodeJS.ErrnoException, "kafka");
  }
}

async function tlsOf({ kafkaTlsCert, kafkaTlsKey }: ServerConfig): Promise<{ cert: Buffer; key: Buffer } | undefined> {
  if (kafkaTlsCert === undefined && kafkaTlsKey === undefined) return undefined;
  if (kafkaTlsCert === undefined || kafkaTlsKey === undefined) {
    const field = kafkaTlsCert === undefined ? "kafkaTlsCert" : "kafkaTlsKey";
    throw new BrokerlessError("invalid_config", `${field}: TLS takes a certificate and its key; only one of them is given`, {
      field,
    });
  }
  const [cert, key] = await Promise.all([pem("kafkaTlsCert", kafkaTlsCert), pem("kafkaTlsKey", kafkaTlsKey)]);
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    throw new BrokerlessError(
      "invalid_config",
      `kafkaTlsKey: ${kafkaTlsCert} and ${kafkaTlsKey} are no certificate and its key (${(cause as Error).message})`,
      { field: "kafkaTlsKey", cause },
    );
  }
  return { cert, key };
}

async function pem(field: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new BrokerlessError("invalid_config", `${field}: ${file} cannot be read (${code})`, { field, cause });
  }
}
