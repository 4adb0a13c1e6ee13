/** Ids: the only source of randomness. */
export interface Ids {
  /**
   * A fresh ULID (16 bytes) above every one that this process minted and above `above`. So a writer that was shown a
   * floor mints above it, whatever its clock says.
   */
  ulid(above?: Uint8Array): Uint8Array;
  /** A random topic id: 22 characters of base64url, 128 bits, not beginning with `-`. */
  topicId(): string;
  /** A random UUID as text. */
  uuid(): string;
  /** Random bytes that nobody can guess, from the system's source for cryptography: for secrets. */
  secret(sizeBytes: number): Uint8Array;
  /** At least 0, below 1. For jitter and choice, not for secrets. */
  random(): number;
}
