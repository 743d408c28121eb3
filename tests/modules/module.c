// SPDX-License-Identifier: MIT
// Every module of this folder: what its init does, and what it needs, is in the Makefile.
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/wait.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define READY(name) JOIN(name, _is_ready)

static int value = -1;
module_param(value, int, 0444);
MODULE_PARM_DESC(value, "nothing but this number");

#ifdef ALIAS
MODULE_ALIAS(ALIAS);
#endif

#ifdef FIRMWARE
MODULE_FIRMWARE(FIRMWARE);
#endif

int READY(NAME)(void);
int READY(NAME)(void)
{
	return value;
}
EXPORT_SYMBOL_GPL(READY(NAME));

#ifdef NEEDS
int READY(NEEDS)(void);
#endif

#ifdef DEVICE
// Devices that appear some time after init, as those behind a slow bus do.
static int count = 1;
module_param(count, int, 0444);
MODULE_PARM_DESC(count, "how many devices");
static int after;
module_param(after, int, 0444);
MODULE_PARM_DESC(after, "milliseconds after init, for the first");
static int every;
module_param(every, int, 0444);
MODULE_PARM_DESC(every, "milliseconds from each to the next");

static struct platform_device **devices;
static int shown;

static void appear(struct work_struct *work);
static DECLARE_DELAYED_WORK(appearance, appear);

static void appear(struct work_struct *work)
{
	while (shown < count) {
		devices[shown] = platform_device_register_simple(DEVICE, shown, NULL, 0);
		shown++;
		if (every) {
			if (shown < count)
				schedule_delayed_work(&appearance, msecs_to_jiffies(every));
			break;
		}
	}
}

static int show_devices(void)
{
	devices = kcalloc(count, sizeof(*devices), GFP_KERNEL);
	if (!devices)
		return -ENOMEM;
	schedule_delayed_work(&appearance, msecs_to_jiffies(after));
	return 0;
}

static void hide_devices(void)
{
	int i;

	cancel_delayed_work_sync(&appearance);
	for (i = 0; i < shown; i++)
		if (!IS_ERR_OR_NULL(devices[i]))
			platform_device_unregister(devices[i]);
	kfree(devices);
}
#else
static int show_devices(void)
{
	return 0;
}

static void hide_devices(void)
{
}
#endif

#ifdef DRIVES
// A driver that wants its device to be there before it is, and else refuses to stay.
static int drive(struct platform_device *device)
{
	return 0;
}

static struct platform_driver driver = {
	.driver = { .name = DRIVES },
};
#endif

#ifdef WANTS
// The same for those that look for themselves, with an error of their own.
static char *device = WANTS;
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "without this one init fails");
static int slowly;
module_param(slowly, int, 0444);
MODULE_PARM_DESC(slowly, "milliseconds from that it is not there to init's end");

static int look_for_device(void)
{
	struct device *found = bus_find_device_by_name(&platform_bus_type, NULL, device);

	if (!found) {
		msleep(slowly);
		return -OTHERWISE;
	}
	put_device(found);
	return 0;
}
#endif

#ifdef NEVER_RETURNS
static DECLARE_WAIT_QUEUE_HEAD(nobody_wakes);
#endif

static int __init start(void)
{
#if defined(DRIVES) || defined(WANTS)
	int error;
#endif
#ifdef OOPSES
	int *nothing = (int *)16;
#endif

#ifdef NEEDS
	READY(NEEDS)();
#endif
#ifdef SLEEP
	msleep(SLEEP);
#endif
#ifdef REQUESTS
	// As a driver does that finds out what it drives: modprobe is called in the midst of init.
	request_module(REQUESTS);
#endif
#ifdef OOPSES
	// Hidden, as the compiler knows that there is nothing.
	OPTIMIZER_HIDE_VAR(nothing);
	*(volatile int *)nothing = 1;
#endif
#ifdef NEVER_RETURNS
	wait_event(nobody_wakes, false);
#endif
#ifdef DRIVES
	error = platform_driver_probe(&driver, drive);
#endif
#ifdef WANTS
	error = look_for_device();
#endif
#if defined(DRIVES) || defined(WANTS)
	// Each try is a line of the log, to be counted.
	pr_info("%s\n", error ? "no device is there" : "a device is there");
	if (error)
		return error;
#endif
#ifdef FAILS
	pr_err("the device does not answer\n");
	return -FAILS;
#endif
	return show_devices();
}
module_init(start);

static void __exit stop(void)
{
#ifdef DRIVES
	platform_driver_unregister(&driver);
#endif
	hide_devices();
}
module_exit(stop);

MODULE_DESCRIPTION("A module to test loaders with");
MODULE_LICENSE("Dual MIT/GPL");
