/** The local server: HTTP over a log over a storage, with its configuration. */
export { type Address, formatAddress, isLoopback } from "./address.ts";
export {
  CONFIG_FILE,
  CONFIG_KEYS,
  type ConfigKey,
  type ConfigSources,
  envName,
  flagName,
  type LoadOptions,
  loadConfig,
  resolveConfig,
  type ServerConfig,
} from "./config.ts";
export { startServer } from "./start.ts";
export type { RunningServer, ServerOptions } from "./types.ts";
