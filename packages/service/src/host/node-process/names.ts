/** Names in the environment of the child; it takes them out of there before the service is loaded. */
export const channelVariable = "HALON_CHANNEL";
export const keyVariable = "HALON_CHANNEL_KEY";
