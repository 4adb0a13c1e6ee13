/** What a host name says of where a signature is for. Pure. */

export interface SigningScope {
  readonly service: string;
  readonly region: string;
}

const HOSTS: readonly (readonly [service: string, host: RegExp])[] = [
  // With the name of a VPC endpoint before it, too.
  ["execute-api", /\.execute-api(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$/],
  ["lambda", /\.lambda-url\.([a-z0-9-]+)\.on\.aws$/],
];

/** Undefined for a host that is not AWS's own: a domain of one's own, or an emulator. */
export function scopeOfHost(host: string): SigningScope | undefined {
  for (const [service, pattern] of HOSTS) {
    const region = pattern.exec(host.toLowerCase())?.[1];
    if (region !== undefined) return { service, region };
  }
  return undefined;
}
