/** Names that begin so are those of Halon's own parts and hooks. */
const prefix = "halon-";

/** Whether a service, type or slot of that name is a part of Halon itself: it is not placed, started or stopped. */
export function isPart(service: string): boolean {
  return service.startsWith(prefix);
}
