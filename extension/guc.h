/* guc.h - the settings, all named collab.*. */
#ifndef COLLAB_GUC_H
#define COLLAB_GUC_H

/* The user that the session works for; empty: the SQL role. Only a superuser, or who was granted SET on it, may set it. */
extern char *guc_user_id;

/* Limits on what submit takes in. Values that are stored already never meet them. */
extern int guc_max_operation_bytes;
extern int guc_max_document_units;
extern int guc_max_comments;

/* How long the notifier gathers before it notifies, in milliseconds. */
extern int guc_notify_interval;

/* Seconds without edits after which a notifier leaves; 0: never. */
extern int guc_notifier_idle_timeout;

/* ---- the worker ---- */

extern bool	 guc_worker;			  /* there is one */
extern int	 guc_worker_delay;		  /* how long it gathers changes, in milliseconds */
extern int	 guc_worker_idle_timeout; /* seconds without work after which it leaves; 0: never */
extern int	 guc_worker_cache_size;	  /* memory for contents that it keeps, in kB */
extern int	 guc_snapshot_interval;	  /* events between two snapshots; 0: none are written */
extern bool	 guc_live_text;			  /* collab.live_texts is kept */
extern int	 guc_live_text_share;	  /* of the worker's time, in percent */
extern char *guc_live_text_config;	  /* text search configuration of it */
extern int	 guc_quarantine_after;	  /* failures of a document after which it is left out; 0: never */

/* Memory that each backend may spend on remembered documents, in kB. */
extern int guc_head_cache_size;

/* Age from which events are folded into chunks, in seconds; -1: never. */
extern int guc_fold_after;

/* The role that background workers connect as. */
extern char *guc_worker_role;

/* Seconds after which a chunk moves to the cold store; -1: never. */
extern int guc_archive_after;

/* How long a reader waits for history to come back from the cold store, in milliseconds. */
extern int guc_thaw_timeout;

/* Seconds for which history that came back is kept. */
extern int guc_thaw_keep;

void guc_init(void);

#endif
