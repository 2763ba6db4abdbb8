/* duties.h - the duties of the worker, each in a file of its own: duty_NAME.c. */
#ifndef COLLAB_DUTIES_H
#define COLLAB_DUTIES_H

#include "worker.h"

extern const WorkerDuty duty_text;
extern const WorkerDuty duty_snapshot;
extern const WorkerDuty duty_anchor;
extern const WorkerDuty duty_fold;
extern const WorkerDuty duty_prune;

#endif
