/** Names that begin so are those of Halon's own parts and hooks. */
const prefix = "halon-";

/** Whether a service, type or slot of that name is a part of Halon itself: it is not placed, started or stopped. */
export function isPart(service: string): boolean {
  return service.startsWith(prefix);
}

/** Why a request about the part is not carried out. */
export function partRefusal(service: string): string {
  return `${service} is a part of Halon: it runs as long as its node does; it can be checked and asked for its status only`;
}
