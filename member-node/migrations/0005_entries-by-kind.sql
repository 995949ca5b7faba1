DROP INDEX `log_entries_history_message_unique`;--> statement-breakpoint
CREATE UNIQUE INDEX `log_entries_history_typ_message_unique` ON `log_entries` (`history`,`typ`,`message`);