export { type MemoryOptions, memoryStorage } from "./storage.ts";
