/** What the CLI has of the process around it. Tests hand in their own. */
export interface OutputStream {
  write(bytes: Uint8Array | string, written: (error?: Error | null) => void): boolean;
  on(event: "error", listener: (error: NodeJS.ErrnoException) => void): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Io {
  readonly stdin: AsyncIterable<Uint8Array> & { readonly isTTY?: boolean };
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts with the first SIGINT or SIGTERM; its reason is the name. */
  readonly interrupted: AbortSignal;
}
