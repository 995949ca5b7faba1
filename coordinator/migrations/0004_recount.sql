CREATE TABLE `draws` (
	`round` text PRIMARY KEY NOT NULL,
	`seed` text NOT NULL,
	`custodian` text NOT NULL,
	`revealed_at` integer NOT NULL,
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `recounts` (
	`round` text PRIMARY KEY NOT NULL,
	`custodian` text NOT NULL,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL,
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
