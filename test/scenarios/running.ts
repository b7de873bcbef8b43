import { createStage, type Stage, type StageOptions } from "@halon/sim";

/** A cluster of one tracking node in which all services of the options are deployed and run. */
export function running(options: StageOptions): Stage {
  const stage = ready(options);
  const services = Object.keys(options.services ?? {});
  stage.deploy(...services);
  stage.until(() => services.every((service) => stage.runs(service)));
  return stage;
}

/** The same, with nothing deployed. */
export function ready(options: StageOptions): Stage {
  const stage = createStage({ tracking: 1, ...options });
  stage.ready();
  return stage;
}

/** The one process of the service that lives. */
export function onlyProcess(stage: Stage, service: string): ReturnType<Stage["processes"]>[number] {
  const [process, ...others] = stage.processes(service);
  if (process === undefined || others.length > 0)
    throw new Error(`expected one process of ${service}, found ${others.length + 1}`);
  return process;
}
