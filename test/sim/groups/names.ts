/** What a simulated group and its topics are called. */
export const GROUP = "g";
export const TOPIC = "t";
/** A topic that goes and comes. */
export const OTHER = "u";
