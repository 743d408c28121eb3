// SPDX-License-Identifier: MIT
// Every module of this folder: what its init does, and what it needs, is in the Makefile.
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define READY(name) JOIN(name, _is_ready)

static int value = -1;
module_param(value, int, 0444);
MODULE_PARM_DESC(value, "nothing but this number");

#ifdef ALIAS
MODULE_ALIAS(ALIAS);
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
MODULE_PARM_DESC(after, "milliseconds after init");

static struct platform_device **devices;

static void appear(struct work_struct *work)
{
	int i;

	for (i = 0; i < count; i++)
		devices[i] = platform_device_register_simple(DEVICE, i, NULL, 0);
}
static DECLARE_DELAYED_WORK(appearance, appear);

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
	for (i = 0; i < count; i++)
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

static int __init start(void)
{
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
#ifdef FAILS
	pr_err("the device does not answer\n");
	return -FAILS;
#endif
	return show_devices();
}
module_init(start);

static void __exit stop(void)
{
	hide_devices();
}
module_exit(stop);

MODULE_DESCRIPTION("A module to test loaders with");
MODULE_LICENSE("Dual MIT/GPL");
