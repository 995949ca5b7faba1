CREATE TABLE `confirmations` (
	`previous` text NOT NULL,
	`member` text NOT NULL,
	`charter` text NOT NULL,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL,
	PRIMARY KEY(`previous`, `member`),
	FOREIGN KEY (`charter`) REFERENCES `charters`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
DROP INDEX `parties_role_subject_unique`;--> statement-breakpoint
ALTER TABLE `parties` ADD `is_replacement` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `parties` ADD `ended_at` integer;--> statement-breakpoint
CREATE UNIQUE INDEX `parties_one_key` ON `parties` (`role`,`subject`,`is_replacement`) WHERE ended_at IS NULL;--> statement-breakpoint
ALTER TABLE `invitations` ADD `is_replacement` integer DEFAULT false NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX `charters_one_in_force` ON `charters` (`epoch`) WHERE in_force_at IS NOT NULL;