/**
 * What a server keeps of a password for SCRAM (RFC 5802, section 3; SHA-256: RFC 7677): enough to check a proof, not to
 * make one, and not the password.
 */
import { createHash, createHmac, pbkdf2 } from "node:crypto";
import { promisify } from "node:util";

/** By Kafka's names. */
export const SCRAM_MECHANISMS = ["SCRAM-SHA-256", "SCRAM-SHA-512"] as const;
export type ScramMechanism = (typeof SCRAM_MECHANISMS)[number];

export interface ScramVerifier {
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** Kafka's and RFC 7677's least. A secret of 160 random bits is not guessed, however fast a guess is. */
export const SCRAM_ITERATIONS = 4096;

const hashes: Readonly<Record<ScramMechanism, { readonly name: string; readonly sizeBytes: number }>> = {
  "SCRAM-SHA-256": { name: "sha256", sizeBytes: 32 },
  "SCRAM-SHA-512": { name: "sha512", sizeBytes: 64 },
};

const derive = promisify(pbkdf2);

/** The verifier of a password, which is ASCII (SASLprep leaves it as it is). Takes some milliseconds off the main thread. */
export async function scramVerifier(
  mechanism: ScramMechanism,
  password: string,
  salt: Uint8Array,
  iterations: number,
): Promise<ScramVerifier> {
  const { name, sizeBytes } = hashes[mechanism];
  const salted = await derive(password, salt, iterations, sizeBytes, name);
  const clientKey = createHmac(name, salted).update("Client Key").digest();
  const storedKey = createHash(name).update(clientKey).digest();
  const serverKey = createHmac(name, salted).update("Server Key").digest();
  return { salt, iterations, storedKey, serverKey };
}
